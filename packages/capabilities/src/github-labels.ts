import type { ForgeRepo } from '@caloron/types';
import { z } from 'zod';

import type { ForgeError } from './forge-errors.ts';
import type { ForgeClient, ForgeRequest } from './github-client.ts';
import { type ForgeDialect, pageSize } from './github-dialect.ts';
import { isForgeError } from './github-errors.ts';

/** GitHub's own grey. */
const DEFAULT_COLOR = 'ededed';

const LabelShape = z.object({ id: z.number(), name: z.string() });

/** Runs a write whose refusal by these codes means that nothing was left to do. */
async function orNothing(codes: readonly ForgeError['code'][], write: () => Promise<unknown>): Promise<void> {
  try {
    await write();
  } catch (error) {
    if (!isForgeError(error, ...codes)) throw error;
  }
}

/** The labels of a Gitea repository by name: its writes want ids. */
async function labelIds(client: ForgeClient): Promise<ReadonlyMap<string, number>> {
  const request: ForgeRequest = {
    doing: 'list the labels',
    method: 'GET',
    path: '/labels',
    query: pageSize('gitea'),
  };
  const ids = new Map<string, number>();
  for await (const answer of client.pages(request)) {
    for (const label of client.parse(z.array(LabelShape), answer, request)) ids.set(label.name, label.id);
  }
  return ids;
}

/** Writes of labels, and labels as a host's other writes want them. */
export interface LabelWrites extends Pick<ForgeRepo, 'ensureLabel' | 'addLabels' | 'removeLabel'> {
  /** Names, or ids on Gitea, where missing labels are made first. */
  readonly asWritten: (labels: readonly string[]) => Promise<readonly (string | number)[]>;
}

/** The label writes of one repository. */
export function labelWrites(client: ForgeClient, dialect: ForgeDialect): LabelWrites {
  const known = new Set<string>();

  async function exists(label: string): Promise<boolean> {
    if (dialect === 'gitea') return (await labelIds(client)).has(label);
    try {
      const path = `/labels/${encodeURIComponent(label)}`;
      await client.send({ doing: `look up the label ${label}`, method: 'GET', path });
      return true;
    } catch (error) {
      if (isForgeError(error, 'FORGE_NOT_FOUND')) return false;
      throw error;
    }
  }

  async function ensureLabel(
    label: string,
    options: Parameters<ForgeRepo['ensureLabel']>[1] = {},
  ): Promise<void> {
    if (known.has(label)) return;
    if (!(await exists(label))) {
      const color = options.color?.replace(/^#/, '') ?? DEFAULT_COLOR;
      const body = {
        name: label,
        color: dialect === 'gitea' ? `#${color}` : color,
        ...(options.description === undefined ? {} : { description: options.description }),
      };
      try {
        await client.send({ doing: `create the label ${label}`, method: 'POST', path: '/labels', body });
      } catch (error) {
        // Another run made it meanwhile, or the name is no label: the look-up tells.
        if (!isForgeError(error, 'FORGE_INVALID', 'FORGE_CONFLICT') || !(await exists(label))) throw error;
      }
    }
    known.add(label);
  }

  async function asWritten(labels: readonly string[]): Promise<readonly (string | number)[]> {
    if (dialect === 'github') return labels;
    for (const label of labels) await ensureLabel(label);
    const ids = await labelIds(client);
    return labels.flatMap((label) => ids.get(label) ?? []);
  }

  async function addLabels(issue_number: number, labels: readonly string[]): Promise<void> {
    if (labels.length === 0) return;
    await client.send({
      doing: `label #${issue_number} with ${labels.join(', ')}`,
      method: 'POST',
      path: `/issues/${issue_number}/labels`,
      body: { labels: await asWritten(labels) },
    });
  }

  async function removeLabel(issue_number: number, label: string): Promise<void> {
    const name = dialect === 'gitea' ? (await labelIds(client)).get(label) : label;
    if (name === undefined) return;
    const path = `/issues/${issue_number}/labels/${encodeURIComponent(name)}`;
    const doing = `remove the label ${label} from #${issue_number}`;
    await orNothing(['FORGE_NOT_FOUND'], () => client.send({ doing, method: 'DELETE', path }));
  }

  return { ensureLabel, addLabels, removeLabel, asWritten };
}
