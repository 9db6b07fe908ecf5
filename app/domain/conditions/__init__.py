"""What each family of conditions sees in its data. Pure: data and time in, an observation with its reason out."""
