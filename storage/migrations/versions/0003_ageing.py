"""indexes for what audits and retention ask: what ended when, who did what, which posts nothing looks at"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_STRANDED = sa.text("due_at IS NULL AND shown < wanted")
_LEASED = sa.text("lease IS NOT NULL")


def upgrade() -> None:
    op.create_index("incident_closed", "incident", ["closed_at"])
    op.create_index("event_actor", "event", ["actor_id"])
    op.create_index("post_stranded", "post", ["id"], sqlite_where=_STRANDED, postgresql_where=_STRANDED)
    op.create_index("post_leased", "post", ["lease"], sqlite_where=_LEASED, postgresql_where=_LEASED)


def downgrade() -> None:
    op.drop_index("post_leased", "post")
    op.drop_index("post_stranded", "post")
    op.drop_index("event_actor", "event")
    op.drop_index("incident_closed", "incident")
