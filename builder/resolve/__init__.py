"""RESOLVE: Recipe -> Lock."""
