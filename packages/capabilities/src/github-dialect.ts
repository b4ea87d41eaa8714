/** The API a host speaks: GitHub's (github.com, GitHub Enterprise, the local forge) or Gitea's and Forgejo's. */
export type ForgeDialect = 'github' | 'gitea';

/** Gitea and Forgejo serve their API below `/api/v1`. */
export function dialectOf(host: string): ForgeDialect {
  return host.endsWith('/api/v1') ? 'gitea' : 'github';
}

/** The largest page each gives: GitHub's documented maximum, and Gitea's default MAX_RESPONSE_ITEMS. */
export function pageSize(dialect: ForgeDialect): Readonly<Record<string, number>> {
  return dialect === 'gitea' ? { limit: 50 } : { per_page: 100 };
}

/** A branch as a path: its slashes stay, all else is encoded. */
export function branchPath(branch: string): string {
  return branch.split('/').map(encodeURIComponent).join('/');
}
