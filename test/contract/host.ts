import { type CachedForgeAnswer, openRepo } from '@caloron/capabilities/github';
import type { ForgeRepo, Sha } from '@caloron/types';

import type { CaseName } from './cases.ts';
import type { Wire } from './wire.ts';

/** `alice` owns the repository alice/app, `bob` may push, `mallory` has an account. */
export type Login = 'alice' | 'bob' | 'mallory';

/** A host with the repository alice/app, whose branch main holds `a.txt`, and the wire to it. */
export interface ContractWorld {
  readonly wire: Wire;
  /** The method the host is asked to merge with. */
  readonly merge_verb: 'PUT' | 'POST';
  /** What the refusal of a conflict is known as: on a host that has no word for it, as what may be one. */
  readonly conflict_code: 'FORGE_NOT_MERGEABLE' | 'FORGE_MERGE_UNSETTLED';
  readonly alice: ForgeRepo;
  readonly bob: ForgeRepo;
  readonly mallory: ForgeRepo;
  /** A repository of this host with a token, without the cache the others have. */
  open(options: { readonly repo?: string; readonly token?: string }): ForgeRepo;
  /** Puts a commit with these files on a branch, which begins where main stands when it is new; gives the commit. */
  commit(branch: string, files: Readonly<Record<string, string>>): Promise<Sha>;
  /** Opens this many issues, titled ‘one of many’, past the wire. */
  fill(count: number): Promise<void>;
  /** Sets the status of a commit, as a CI does. */
  setStatus(sha: Sha, state: 'pending' | 'success' | 'failure'): Promise<void>;
  close(): Promise<void>;
}

/** A host the contract runs against. */
export interface ContractHost {
  readonly name: string;
  /** What the host cannot do, with the evidence. A case of this list that passes all the same fails: the list tells the truth. */
  readonly lacks: Partial<Readonly<Record<CaseName, string>>>;
  /** What `pnpm test` runs of it; `pnpm test:slow` runs all. Absent: all. */
  readonly brief?: (name: CaseName) => boolean;
  start(): Promise<ContractWorld>;
}

/** Keeps ETags, as the store does. */
function memoryCache() {
  const rows = new Map<string, CachedForgeAnswer>();
  return {
    get: async (key: string) => rows.get(key),
    put: async (key: string, answer: CachedForgeAnswer) => {
      rows.set(key, answer);
    },
  };
}

/** The product's own client for each account, over the wire. */
export function clients(
  wire: Wire,
  tokens: Readonly<Record<Login, string>>,
  base_path = '',
): Pick<ContractWorld, Login | 'open'> {
  const host = `${wire.url}${base_path}`;
  const as = (login: Login): ForgeRepo =>
    openRepo({ repo: 'alice/app', host, token: tokens[login], cache: memoryCache(), read_retries: 0 });
  return {
    alice: as('alice'),
    bob: as('bob'),
    mallory: as('mallory'),
    open: ({ repo = 'alice/app', token = tokens.alice }) => openRepo({ repo, host, token, read_retries: 0 }),
  };
}
