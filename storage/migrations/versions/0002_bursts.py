"""a quota of reports for each person, and indexes for long queues"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("community", sa.Column("quota", sa.Integer(), nullable=False, server_default="20"))
    op.add_column("incident", sa.Column("beyond", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("incident_filer", "incident", ["community_id", "author_id", "filed_at"], unique=False)
    op.create_index("post_next", "post", ["chat_id", "due_at"], unique=False)


def downgrade() -> None:
    op.drop_index("post_next", table_name="post")
    op.drop_index("incident_filer", table_name="incident")
    # Plainly, not by copying the table: others refer to its rows.
    op.drop_column("incident", "beyond")
    op.drop_column("community", "quota")
