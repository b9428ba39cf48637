"""What the second engine for vectors has still to be told: changes of rows of lenses."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class VectorChange(models.Model):
    """A public row of a lens that was made, changed, hidden or deleted.

    Written by a trigger of the database in the transaction that changes the row, on sites that have the
    engine; elsewhere the trigger is not there and this table is empty. Which vector the row holds, if there
    still is one, is read when the change is carried over.
    """

    # Without a foreign key: the track may be gone.
    track = models.UUIDField(_("track"))
    lens = models.CharField(_("lens"), max_length=20)
    version = models.CharField(_("version"), max_length=20)

    class Meta:
        verbose_name = _("change of a vector")
        verbose_name_plural = _("changes of vectors")

    def __str__(self) -> str:
        return f"{self.track} {self.lens} {self.version}"
