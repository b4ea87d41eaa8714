import { ScriptedGit } from './gitea-git.ts';
import type { Login } from './host.ts';

/** An issue or a pull request of the scripted Gitea. */
export interface Ticket {
  readonly number: number;
  readonly poster: Login;
  readonly title: string;
  readonly created_at: string;
  body: string;
  state: 'open' | 'closed';
  labels: number[];
  updated_at: string;
  closed_at: string | null;
  readonly pull: Pull | null;
}

/** What makes a ticket a pull request. */
export interface Pull {
  readonly head: string;
  readonly base: string;
  /** `refs/pull/N/head`: stays when the branch is gone. */
  head_sha: string;
  /** Whether a merge is still being tried out: for a moment after each push to head or base. */
  checking: boolean;
  merged_at: string | null;
  merge_commit_sha: string | null;
  readonly reviews: Review[];
}

/** One entry of the list of reviews; a request for one is an entry too. */
export interface Review {
  readonly id: number;
  readonly reviewer: Login;
  readonly state: 'APPROVED' | 'REQUEST_CHANGES' | 'COMMENT' | 'REQUEST_REVIEW';
  readonly body: string;
  readonly commit_id: string;
  readonly submitted_at: string;
}

/** A comment. */
export interface Comment {
  readonly id: number;
  readonly ticket: number;
  readonly poster: Login;
  body: string;
  readonly at: string;
  edited_at?: string;
}

/** An instant as Gitea writes it: whole seconds, in the time zone of the server. */
export function now(): string {
  return `${new Date(Date.now() + 2 * 3_600_000).toISOString().slice(0, 19)}+02:00`;
}

/** Whether a title says that its pull request is a draft: nothing else makes one. */
export function isWip({ title }: Ticket): boolean {
  return /^(?:WIP:|\[WIP\])/i.test(title);
}

/** All a scripted Gitea knows. */
export class GiteaState {
  /** Whether it tells of drafts in a field, as from 1.22 on. */
  has_draft_field = true;
  /** Accounts that were deleted. */
  readonly deleted = new Set<string>();
  readonly git = new ScriptedGit({ 'a.txt': 'one\ntwo\nthree\n' });
  readonly tickets: Ticket[] = [];
  readonly comments: Comment[] = [];
  readonly labels: { readonly id: number; readonly name: string; readonly color: string }[] = [];
  readonly statuses = new Map<string, string>();
  #ids = 100;

  nextId(): number {
    this.#ids += 1;
    return this.#ids;
  }

  add(poster: Login, text: { readonly title: string; readonly body: string }, pull: Pull | null): Ticket {
    const at = now();
    const times = { created_at: at, updated_at: at, closed_at: null };
    const number = this.tickets.length + 1;
    const ticket: Ticket = { number, poster, ...text, state: 'open', labels: [], ...times, pull };
    this.tickets.push(ticket);
    return ticket;
  }

  find(number: number): Ticket | undefined {
    return this.tickets.find((ticket) => ticket.number === number);
  }

  setState(ticket: Ticket, state: 'open' | 'closed'): void {
    ticket.state = state;
    ticket.updated_at = now();
    ticket.closed_at = state === 'closed' ? ticket.updated_at : null;
  }

  /** Moves the heads of open pull requests to where their branches stand. */
  follow(branch: string): void {
    for (const ticket of this.tickets) {
      if (ticket.pull?.head !== branch || ticket.state !== 'open') continue;
      ticket.pull.head_sha = this.git.branches.get(branch) ?? ticket.pull.head_sha;
      ticket.updated_at = now();
    }
  }
}
