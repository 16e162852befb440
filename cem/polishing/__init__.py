"""Local stages: they ask for the values of rows, and neither the loop nor the driver knows of them."""
