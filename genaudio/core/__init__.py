"""The ground that everything stands on: registry, components, recipes, errors. Imports no torch."""
