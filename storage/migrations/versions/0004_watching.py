"""an index for those who watch: messages that were refused for good"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BROKEN = sa.text("state = 'broken'")


def upgrade() -> None:
    op.create_index("post_broken", "post", ["state"], sqlite_where=_BROKEN, postgresql_where=_BROKEN)


def downgrade() -> None:
    op.drop_index("post_broken", "post")
