import type { ForgeContext } from './context.ts';
import { diffText } from './git/diff.ts';
import { checkRunsOf } from './model/check-runs.ts';
import type { Pull } from './model/pulls.ts';
import type { Repo } from './model/repos.ts';
import { combinedStatus } from './model/statuses.ts';
import { html, type Html } from './html.ts';
import { forkPoint, type PullFacts } from './pull-facts.ts';

/** Bytes of a diff that a page shows. */
const SHOWN_BYTES = 200_000;

/** What a pull request changes, and what checks say of its head. */
export async function changes(ctx: ForgeContext, repo: Repo, pull: Pull, facts: PullFacts): Promise<Html> {
  const git_dir = ctx.gitDir(repo);
  const diff = await diffText(git_dir, await forkPoint(git_dir, pull), pull.head_sha, SHOWN_BYTES);
  const files = diff.text.split(/^(?=diff --git )/m).filter((part) => part !== '');
  const page = `/ui/${repo.owner}/${repo.name}/pulls/${pull.number}`;
  return html`<h2>Changes</h2>
    <p>
      <bdi>${pull.head_ref}</bdi> → <bdi>${pull.base_ref}</bdi>, ${count(facts.commits, 'commit')},
      ${count(facts.changed_files, 'file')}, +${facts.additions}
      −${facts.deletions}${pull.state === 'open' ? `, ${facts.mergeable_state}` : ''} ·
      <a href="${page}.diff">diff</a> · <a href="${page}.patch">patch</a>
    </p>
    ${checks(ctx, repo, pull)} ${files.map(file)}
    ${diff.cut ? html`<p>[cut] The rest is longer than a page shows.</p>` : html``}`;
}

function count(n: number, word: string): string {
  return `${n} ${word}${n === 1 ? '' : 's'}`;
}

function checks(ctx: ForgeContext, repo: Repo, pull: Pull): Html {
  const told = combinedStatus(ctx.sql, repo.id, pull.head_sha).statuses.map(
    ({ context, state, description }) => check(context, state, description),
  );
  const runs = checkRunsOf(ctx.sql, repo.id, pull.head_sha).map(({ name, status, conclusion, title }) =>
    check(name, conclusion ?? status, title),
  );
  return html`${[...told, ...runs]}`;
}

function check(name: string, state: string, text: string | null): Html {
  return html`<p>
    <span class="state ${state}">${state}</span> <bdi>${name}</bdi> <bdi>${text ?? ''}</bdi>
  </p>`;
}

/** One file: its lines in the colours of what they are, each isolated, so that marks of direction end with their line. */
function file(part: string): Html {
  const lines = part.replace(/\n$/, '').split('\n');
  const hunk = lines.findIndex((line) => line.startsWith('@@'));
  const name = (lines[0] ?? '').replace(/^diff --git /, '').replace(/^a\/(.*) b\/\1$/, '$1');
  const shown = (hunk < 0 ? lines.slice(1) : lines.slice(hunk)).map(
    (line) => html`<span class="${KINDS[line.slice(0, 1)] ?? ''}">${line}</span>`,
  );
  return html`<details open>
    <summary><bdi>${name}</bdi></summary>
    <pre class="diff">${shown}</pre>
  </details>`;
}

const KINDS: Readonly<Record<string, string>> = { '+': 'add', '-': 'del', '@': 'hunk' };
