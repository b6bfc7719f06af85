"""What commands.py is made of: its parser, the stages as processes, the chain of a training."""
