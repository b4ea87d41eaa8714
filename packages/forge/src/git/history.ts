import { git } from '@caloron/capabilities/git';

/** A commit as git tells it. Times are ISO 8601 with a zone. */
export interface CommitRecord {
  readonly sha: string;
  readonly tree: string;
  readonly parents: readonly string[];
  readonly author: { readonly name: string; readonly email: string; readonly date: string };
  readonly committer: { readonly name: string; readonly email: string; readonly date: string };
  readonly message: string;
}

const FORMAT = '--format=%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%cn%x00%ce%x00%cI%x00%B%x01';

/** Commits of a range or commit, newest first unless `oldest_first`. */
export async function listCommits(
  git_dir: string,
  range: string,
  page: {
    readonly limit: number;
    readonly offset: number;
    readonly oldest_first?: boolean;
    readonly path?: string;
  },
): Promise<readonly CommitRecord[]> {
  const window = page.oldest_first === true ? [] : [`--skip=${page.offset}`, `--max-count=${page.limit}`];
  const order = page.oldest_first === true ? ['--reverse', '--topo-order'] : [];
  const only = page.path === undefined ? [] : [page.path];
  const args = [
    '--literal-pathspecs',
    'log',
    '--no-color',
    ...window,
    ...order,
    FORMAT,
    range,
    '--',
    ...only,
  ];
  const { stdout } = await git(args, { git_dir });
  const commits = stdout
    .split('\u0001')
    .map((record) => record.replace(/^\n/, ''))
    .filter((record) => record !== '')
    .map(parseCommit);
  // `--reverse` with a window would reverse only the newest ones.
  return page.oldest_first === true ? commits.slice(page.offset, page.offset + page.limit) : commits;
}

/** How many commits a range or commit has. */
export async function countCommits(git_dir: string, range: string, path?: string): Promise<number> {
  const only = path === undefined ? [] : [path];
  const { stdout } = await git(['--literal-pathspecs', 'rev-list', '--count', range, '--', ...only], {
    git_dir,
  });
  return Number(stdout);
}

function parseCommit(record: string): CommitRecord {
  const [sha = '', tree = '', parents = '', an = '', ae = '', ad = '', cn = '', ce = '', cd = '', body = ''] =
    record.split('\0');
  return {
    sha,
    tree,
    parents: parents.split(' ').filter((parent) => parent !== ''),
    author: { name: an, email: ae, date: ad },
    committer: { name: cn, email: ce, date: cd },
    message: body.replace(/\n+$/, ''),
  };
}

/** Languages by file extension. Source: the extensions GitHub's linguist lists first for each; prose and data do not count, as there. */
const LANGUAGES: Readonly<Record<string, string>> = {
  ts: 'TypeScript',
  tsx: 'TypeScript',
  mts: 'TypeScript',
  cts: 'TypeScript',
  js: 'JavaScript',
  jsx: 'JavaScript',
  mjs: 'JavaScript',
  cjs: 'JavaScript',
  py: 'Python',
  rs: 'Rust',
  go: 'Go',
  java: 'Java',
  kt: 'Kotlin',
  swift: 'Swift',
  rb: 'Ruby',
  php: 'PHP',
  c: 'C',
  h: 'C',
  cc: 'C++',
  cpp: 'C++',
  hpp: 'C++',
  cs: 'C#',
  scala: 'Scala',
  ex: 'Elixir',
  exs: 'Elixir',
  erl: 'Erlang',
  hs: 'Haskell',
  lua: 'Lua',
  pl: 'Perl',
  r: 'R',
  jl: 'Julia',
  dart: 'Dart',
  zig: 'Zig',
  nix: 'Nix',
  sh: 'Shell',
  bash: 'Shell',
  html: 'HTML',
  css: 'CSS',
  scss: 'SCSS',
  vue: 'Vue',
  svelte: 'Svelte',
  sql: 'SQL',
};

/** Bytes per language in a commit's files, largest first. */
export async function languages(git_dir: string, commit: string): Promise<Readonly<Record<string, number>>> {
  const { stdout } = await git(['ls-tree', '-r', '-l', '-z', commit], { git_dir });
  const bytes = new Map<string, number>();
  for (const entry of stdout.split('\0')) {
    const match = /^\d+ blob \S+ +(\d+)\t(?:.*\/)?[^/]*\.([^./]+)$/s.exec(entry);
    const language = Object.hasOwn(LANGUAGES, match?.[2]?.toLowerCase() ?? '')
      ? LANGUAGES[match?.[2]?.toLowerCase() ?? '']
      : undefined;
    if (language === undefined) continue;
    bytes.set(language, (bytes.get(language) ?? 0) + Number(match?.[1]));
  }
  return Object.fromEntries([...bytes].sort(([, a], [, b]) => b - a));
}
