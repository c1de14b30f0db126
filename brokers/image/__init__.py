"""The cloud-services image: one root file system with every broker, built from a recipe.

A recipe says what goes in; its digest is the key of the cache. Archives move, so two
builds of one recipe may differ: the *content digest* says which image a result came from.
"""

from brokers.image.cache import Image, ensure, find, remove, show
from brokers.image.recipe import ImageError, Recipe, recipe, recipe_names

__all__ = ["Image", "ImageError", "Recipe", "ensure", "find", "recipe", "recipe_names", "remove", "show"]
