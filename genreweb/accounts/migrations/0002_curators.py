from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.state import StateApps


def add_group(apps: StateApps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias).get_or_create(
        name="curator"
    )


class Migration(migrations.Migration):
    dependencies = [("accounts", "0001_initial")]

    # Going back leaves the group: people may have been put into it.
    operations = [migrations.RunPython(add_group, migrations.RunPython.noop)]
