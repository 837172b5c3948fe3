"""Fine-tuning of a vision-language model: LoRA or all weights, on conversations generated from the tasks."""
