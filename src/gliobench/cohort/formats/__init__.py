"""The file formats of images and masks: one file per format, one door (`volume_file.py`)."""
