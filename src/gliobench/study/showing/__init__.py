"""What a person looks at: the report, pages of patients, files to ask or fine-tune with elsewhere."""
