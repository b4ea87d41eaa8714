/** What a worktree holds, as far as its programs are told. */
export interface WorkspaceFacts {
  readonly port_first: number | null;
  readonly port_count: number | null;
  readonly cache_dir: string | null;
}

/**
 * The variables that tell programs in a worktree what it holds: CALORON_PORT_FIRST, CALORON_PORT_COUNT, CALORON_CACHE_DIR. The cache
 * directory is XDG_CACHE_HOME too, so that programs that have never heard of it keep their caches apart.
 */
export function workspaceVariables(facts: WorkspaceFacts | undefined): Record<string, string> {
  const { port_first = null, port_count = null, cache_dir = null } = facts ?? {};
  return {
    ...(port_first === null || port_count === null
      ? {}
      : { CALORON_PORT_FIRST: String(port_first), CALORON_PORT_COUNT: String(port_count) }),
    ...(cache_dir === null ? {} : { CALORON_CACHE_DIR: cache_dir, XDG_CACHE_HOME: cache_dir }),
  };
}
