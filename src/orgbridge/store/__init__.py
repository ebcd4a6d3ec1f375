"""Tables, migrations, repositories, unit of work, files. SQLAlchemy lives here and nowhere else."""
