/** A tarball: what is in it follows from the packages its bins come from and what these depend on. */
export interface Product {
  /** The npm package's name, and the beginning of its file's. */
  readonly name: string;
  readonly description: string;
  /** Each bin with the folder of `packages/` it comes from. */
  readonly bins: Readonly<Record<string, string>>;
}

/** The tarballs that `pnpm pack:bins` makes. */
export const PRODUCTS: readonly Product[] = [
  {
    name: 'caloron',
    description: 'Runs sprints of coding agents: all of it, as the demo and `caloron up` need it.',
    bins: {
      caloron: 'cli',
      noether: 'cli',
      'noether-scheduler': 'scheduler',
      'caloron-shell': 'shell',
      'caloron-harness': 'harness',
      'caloron-forge': 'forge',
    },
  },
  {
    name: 'noether-scheduler',
    description:
      'Runs composition graphs by cron and on events, with the command that fills its stage store.',
    bins: { 'noether-scheduler': 'scheduler', noether: 'cli' },
  },
  {
    name: 'caloron-shell',
    description: 'Starts agents in worktrees of their own and hears their heartbeats.',
    bins: { 'caloron-shell': 'shell', 'caloron-harness': 'harness' },
  },
  {
    name: 'caloron-harness',
    description: 'Runs an agent in a worktree and delivers its work.',
    bins: { 'caloron-harness': 'harness' },
  },
  {
    name: 'caloron-forge',
    description: 'A local forge: issues, pull requests and bare repositories, without an account.',
    bins: { 'caloron-forge': 'forge' },
  },
];
