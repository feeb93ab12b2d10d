"""What training and evaluation share: the flags of recipes, recipes by name, example sets."""
