import type { Migration } from '@caloron/store';

/**
 * The forge's tables, one step per version. Times are milliseconds since 1970 (`…_ms`) and never repeat within a
 * database, so that they order changes; the API shows whole seconds, as GitHub does.
 */
export const migrations: readonly Migration[] = [
  {
    name: 'forge',
    sql: `
CREATE TABLE users (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  login TEXT NOT NULL UNIQUE COLLATE NOCASE,
  admin INTEGER NOT NULL DEFAULT 0,
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
  hash TEXT PRIMARY KEY,
  user_id INTEGER NOT NULL REFERENCES users(id),
  created_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE repos (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  owner_id INTEGER NOT NULL REFERENCES users(id),
  name TEXT NOT NULL COLLATE NOCASE,
  private INTEGER NOT NULL,
  description TEXT,
  default_branch TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  pushed_ms INTEGER NOT NULL,
  UNIQUE (owner_id, name)
) STRICT;

CREATE TABLE collaborators (
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  user_id INTEGER NOT NULL REFERENCES users(id),
  permission TEXT NOT NULL,
  PRIMARY KEY (repo_id, user_id)
) STRICT;

CREATE TABLE labels (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  name TEXT NOT NULL COLLATE NOCASE,
  color TEXT NOT NULL,
  description TEXT,
  UNIQUE (repo_id, name)
) STRICT;

CREATE TABLE issues (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  number INTEGER NOT NULL,
  is_pull INTEGER NOT NULL,
  title TEXT NOT NULL,
  body TEXT,
  state TEXT NOT NULL CHECK (state IN ('open', 'closed')),
  state_reason TEXT,
  author_id INTEGER NOT NULL REFERENCES users(id),
  closed_by_id INTEGER REFERENCES users(id),
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL,
  closed_ms INTEGER,
  UNIQUE (repo_id, number)
) STRICT;
CREATE INDEX issues_by_update ON issues (repo_id, updated_ms);

CREATE TABLE issue_labels (
  issue_id INTEGER NOT NULL REFERENCES issues(id),
  label_id INTEGER NOT NULL REFERENCES labels(id) ON DELETE CASCADE,
  PRIMARY KEY (issue_id, label_id)
) STRICT;
CREATE INDEX issue_labels_by_label ON issue_labels (label_id);

CREATE TABLE assignees (
  issue_id INTEGER NOT NULL REFERENCES issues(id),
  user_id INTEGER NOT NULL REFERENCES users(id),
  PRIMARY KEY (issue_id, user_id)
) STRICT;

CREATE TABLE pulls (
  issue_id INTEGER PRIMARY KEY REFERENCES issues(id),
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  head_ref TEXT NOT NULL,
  head_sha TEXT NOT NULL,
  base_ref TEXT NOT NULL,
  base_sha TEXT NOT NULL,
  draft INTEGER NOT NULL,
  merged_ms INTEGER,
  merged_by_id INTEGER REFERENCES users(id),
  merge_sha TEXT
) STRICT;
CREATE INDEX pulls_by_head ON pulls (repo_id, head_ref);

CREATE TABLE merge_intents (
  issue_id INTEGER PRIMARY KEY REFERENCES pulls(issue_id),
  actor_id INTEGER NOT NULL REFERENCES users(id),
  base_ref TEXT NOT NULL,
  old_sha TEXT NOT NULL,
  new_sha TEXT NOT NULL
) STRICT;

CREATE TABLE requested_reviewers (
  issue_id INTEGER NOT NULL REFERENCES pulls(issue_id),
  user_id INTEGER NOT NULL REFERENCES users(id),
  PRIMARY KEY (issue_id, user_id)
) STRICT;

CREATE TABLE comments (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  issue_id INTEGER NOT NULL REFERENCES issues(id),
  author_id INTEGER NOT NULL REFERENCES users(id),
  body TEXT NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX comments_by_issue ON comments (issue_id);
CREATE INDEX comments_by_update ON comments (repo_id, updated_ms);

CREATE TABLE reviews (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  issue_id INTEGER NOT NULL REFERENCES pulls(issue_id),
  author_id INTEGER NOT NULL REFERENCES users(id),
  state TEXT NOT NULL,
  body TEXT NOT NULL,
  commit_id TEXT NOT NULL,
  submitted_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX reviews_by_issue ON reviews (issue_id);

CREATE TABLE issue_events (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  issue_id INTEGER NOT NULL REFERENCES issues(id),
  actor_id INTEGER NOT NULL REFERENCES users(id),
  event TEXT NOT NULL,
  commit_id TEXT,
  extra TEXT NOT NULL,
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX issue_events_by_issue ON issue_events (issue_id);
CREATE INDEX issue_events_by_repo ON issue_events (repo_id, id);

CREATE TABLE statuses (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  sha TEXT NOT NULL,
  state TEXT NOT NULL,
  context TEXT NOT NULL COLLATE NOCASE,
  description TEXT,
  target_url TEXT,
  creator_id INTEGER NOT NULL REFERENCES users(id),
  created_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX statuses_by_sha ON statuses (repo_id, sha);

CREATE TABLE check_runs (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  sha TEXT NOT NULL,
  name TEXT NOT NULL,
  status TEXT NOT NULL,
  conclusion TEXT,
  details_url TEXT,
  title TEXT,
  summary TEXT,
  started_ms INTEGER NOT NULL,
  completed_ms INTEGER
) STRICT;
CREATE INDEX check_runs_by_sha ON check_runs (repo_id, sha);
`,
  },
  {
    name: 'repository-made',
    // 0 while the bare repository of a new row is being made: a server that starts then makes it instead of missing it.
    sql: 'ALTER TABLE repos ADD COLUMN made INTEGER NOT NULL DEFAULT 1;',
  },
  {
    name: 'hooks',
    sql: `
CREATE TABLE hooks (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  url TEXT NOT NULL,
  secret TEXT,
  content_type TEXT NOT NULL CHECK (content_type IN ('json', 'form')),
  events TEXT NOT NULL,
  active INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  updated_ms INTEGER NOT NULL
) STRICT;
CREATE INDEX hooks_by_repo ON hooks (repo_id);

CREATE TABLE hook_deliveries (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  guid TEXT NOT NULL,
  hook_id INTEGER NOT NULL REFERENCES hooks(id) ON DELETE CASCADE,
  event TEXT NOT NULL,
  action TEXT,
  payload TEXT NOT NULL,
  state TEXT NOT NULL CHECK (state IN ('pending', 'delivered', 'failed')),
  attempts INTEGER NOT NULL,
  due_ms INTEGER NOT NULL,
  status_code INTEGER,
  outcome TEXT,
  redelivery INTEGER NOT NULL,
  created_ms INTEGER NOT NULL,
  settled_ms INTEGER
) STRICT;
CREATE INDEX hook_deliveries_by_hook ON hook_deliveries (hook_id, id);
CREATE INDEX hook_deliveries_due ON hook_deliveries (state, due_ms);

CREATE TABLE branch_tips (
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  branch TEXT NOT NULL,
  sha TEXT NOT NULL,
  PRIMARY KEY (repo_id, branch)
) STRICT;
`,
  },
  {
    name: 'protection',
    sql: `
CREATE TABLE protections (
  repo_id INTEGER NOT NULL REFERENCES repos(id),
  branch TEXT NOT NULL,
  rules TEXT NOT NULL,
  PRIMARY KEY (repo_id, branch)
) STRICT;
`,
  },
  { name: 'removed-users', sql: 'ALTER TABLE users ADD COLUMN removed_ms INTEGER;' },
];
