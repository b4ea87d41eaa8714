import { createHash } from 'node:crypto';

/** A commit of the scripted Gitea: its whole tree by path. */
export interface Commit {
  readonly sha: string;
  readonly parents: readonly string[];
  readonly files: ReadonlyMap<string, string>;
  readonly message: string;
  readonly at: string;
}

/** As much of git as a forge's answers need: commits, branches, ancestors, three-way merges of whole files. */
export class ScriptedGit {
  readonly commits = new Map<string, Commit>();
  readonly branches = new Map<string, string>();
  #made = 0;

  constructor(files: Readonly<Record<string, string>>) {
    this.branches.set('main', this.#add([], new Map(Object.entries(files)), 'first').sha);
  }

  #add(parents: readonly string[], files: ReadonlyMap<string, string>, message: string): Commit {
    this.#made += 1;
    const sha = createHash('sha1')
      .update(`${String(this.#made)} ${message}`)
      .digest('hex');
    const commit = { sha, parents, files, message, at: new Date().toISOString().replace(/\.\d+/, '') };
    this.commits.set(sha, commit);
    return commit;
  }

  #commit(sha: string): Commit {
    const found = this.commits.get(sha);
    if (found === undefined) throw new Error(`no commit ${sha}`);
    return found;
  }

  /** The commit a branch or a whole name stands for. */
  resolve(name: string): string | undefined {
    return this.branches.get(name) ?? this.commits.get(name)?.sha;
  }

  /** Puts a commit on a branch, which begins at main when it is new. */
  write(branch: string, files: Readonly<Record<string, string>>): string {
    const parent = this.branches.get(branch) ?? this.branches.get('main') ?? '';
    const tree = new Map([...this.#commit(parent).files, ...Object.entries(files)]);
    const { sha } = this.#add([parent], tree, `work on ${branch}`);
    this.branches.set(branch, sha);
    return sha;
  }

  /** A commit and all before it, nearest first. */
  history(sha: string): readonly string[] {
    const seen = new Set<string>();
    for (let next = [sha]; next.length > 0;) {
      next.forEach((one) => seen.add(one));
      next = next.flatMap((one) => [...this.#commit(one).parents]).filter((one) => !seen.has(one));
    }
    return [...seen];
  }

  /** Commits of the head that the base lacks. */
  ahead(base: string, head: string): number {
    const there = new Set(this.history(base));
    return this.history(head).filter((sha) => !there.has(sha)).length;
  }

  /** The files of both sides, or undefined where they conflict. */
  #merged(base: string, head: string): ReadonlyMap<string, string> | undefined {
    const there = new Set(this.history(base));
    const fork = this.history(head).find((sha) => there.has(sha));
    const from = fork === undefined ? new Map<string, string>() : this.#commit(fork).files;
    const [ours, theirs] = [this.#commit(base).files, this.#commit(head).files];
    const files = new Map(ours);
    for (const [path, text] of theirs) {
      if (text === from.get(path) || text === ours.get(path)) continue;
      if (ours.get(path) !== from.get(path)) return undefined;
      files.set(path, text);
    }
    return files;
  }

  canMerge(base: string, head: string): boolean {
    return this.#merged(base, head) !== undefined;
  }

  /** Merges a head into a branch; gives the commit that stands there then. */
  merge(branch: string, head: string, way: string, message: string): string {
    const base = this.branches.get(branch) ?? '';
    const files = this.#merged(base, head);
    if (files === undefined) throw new Error('conflict');
    const parents = way === 'merge' ? [base, head] : [base];
    const { sha } = this.#add(parents, files, message);
    this.branches.set(branch, sha);
    return sha;
  }
}
