import { existsSync, realpathSync } from 'node:fs';
import { dirname, isAbsolute, resolve, sep } from 'node:path';

import type { RequestPermissionRequest, RequestPermissionResponse, ToolKind } from '@agentclientprotocol/sdk';

import { HarnessError } from '../errors.ts';
import type { FrameworkCall } from './framework.ts';

/** Every kind of call the protocol knows. */
const KINDS = [
  'read',
  'edit',
  'delete',
  'move',
  'search',
  'execute',
  'think',
  'fetch',
  'switch_mode',
  'other',
] as const satisfies readonly ToolKind[];

/** What an agent may do unasked: look, think, and change files of its worktree; no commands, no network. */
const UNASKED: readonly ToolKind[] = ['read', 'search', 'think', 'edit', 'delete', 'move'];

/** Which requests for permission are granted. */
export interface PermissionPolicy {
  readonly kinds: ReadonlySet<ToolKind>;
  /** The directory that calls which name files must stay in; null when they may name any. */
  readonly inside: string | null;
}

/** An answer and the line that tells of it. */
export interface Decided {
  readonly answer: RequestPermissionResponse;
  readonly line: string;
}

/**
 * The policy of a run. Option `allow` names further kinds, by commas: `execute`, `fetch`, `switch_mode`, `other`. A framework that
 * CALORON_ALLOW_DANGEROUS names may do anything. Throws HARNESS_FRAMEWORK_OPTION.
 */
export function permissionPolicy({ order, dangerous }: FrameworkCall): PermissionPolicy {
  if (dangerous) return { kinds: new Set(KINDS), inside: null };
  const asked = (order.framework.options['allow'] ?? '').split(/[\s,]+/).filter((kind) => kind !== '');
  const known = asked.filter((kind): kind is ToolKind => KINDS.some((one) => one === kind));
  if (known.length < asked.length) {
    throw new HarnessError('HARNESS_FRAMEWORK_OPTION', {
      framework: order.framework.name,
      option: 'allow',
      expected: `kinds of calls, separated by commas: ${KINDS.join(', ')}`,
    });
  }
  return { kinds: new Set([...UNASKED, ...known]), inside: order.worktree };
}

/** Answers at once, for this one call: nothing is granted for later ones, and nobody is waited for. */
export function decidePermission(policy: PermissionPolicy, request: RequestPermissionRequest): Decided {
  const { toolCall, options } = request;
  const kind = toolCall.kind ?? 'other';
  const diffs = (toolCall.content ?? []).flatMap((part) => (part.type === 'diff' ? [part.path] : []));
  const paths = [...(toolCall.locations ?? []).map(({ path }) => path), ...diffs];
  const outside = paths.find((path) => !isInside(policy.inside, path));
  const refusal = !policy.kinds.has(kind)
    ? `${kind} is not allowed`
    : outside === undefined
      ? null
      : `${outside} is outside the worktree`;
  const wanted = refusal === null ? ['allow_once', 'allow_always'] : ['reject_once', 'reject_always'];
  const option = wanted.flatMap((one) => options.filter((offered) => offered.kind === one))[0];
  const answer: RequestPermissionResponse =
    option === undefined
      ? { outcome: { outcome: 'cancelled' } }
      : { outcome: { outcome: 'selected', optionId: option.optionId } };
  const what = `${kind} ${toolCall.title ?? toolCall.toolCallId}`.replaceAll(/\s+/g, ' ').slice(0, 200);
  if (refusal !== null) return { answer, line: `permission refused: ${what} (${refusal})` };
  if (option === undefined) return { answer, line: `permission not given: ${what} (no option allows it)` };
  return { answer, line: `permission given: ${what}` };
}

/** Whether a path, which need not exist yet, stays in a directory when every link is followed. */
function isInside(directory: string | null, path: string): boolean {
  if (directory === null) return true;
  const root = realpathSync(directory);
  if (path.includes('\0')) return false;
  const target = realOf(isAbsolute(path) ? resolve(path) : resolve(root, path));
  return target === root || target.startsWith(root + sep);
}

function realOf(path: string): string {
  if (existsSync(path)) return realpathSync(path);
  const parent = dirname(path);
  return parent === path ? path : `${realOf(parent)}${sep}${path.slice(parent.length).replace(/^\//, '')}`;
}
