"""Three documents made one: what either side changed since their common base, both sides' changes together.

Pure: documents in, a document and its conflicts out. Predictors are matched by path, fields by name, demos by their
content, settings by key, instructions by line. Where both sides changed the same thing differently nothing is chosen.
"""

from progkit.artifact.merging.documents import Merged, merge
from progkit.artifact.merging.marking import marked
from progkit.artifact.merging.threeway import Conflict

__all__ = ["Conflict", "Merged", "marked", "merge"]
