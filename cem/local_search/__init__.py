"""Local stages: generators that ask for rows near a point and return the best they reach."""
