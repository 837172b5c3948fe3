"""Fine-tuning of a vision-language model: LoRA or all weights, on conversations made from the tasks themselves."""
