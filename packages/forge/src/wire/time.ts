import { timestampOf } from '@caloron/types';

/** An instant as GitHub writes it: whole seconds. */
export function seconds(ms: number): string {
  return `${timestampOf(ms).slice(0, 19)}Z`;
}

/** Like `seconds`; null stays null. */
export function secondsOrNull(ms: number | null): string | null {
  return ms === null ? null : seconds(ms);
}

/** An id as GitHub's node ids are: opaque text that differs between kinds. */
export function nodeId(kind: string, id: number | string): string {
  return `${kind}_${Buffer.from(`${kind}:${id}`).toString('base64url')}`;
}
