import { canonicalJson, type Json } from '@caloron/noether';
import { z } from 'zod';

/** The difference between two JSON objects. Unlike a merge patch it tells null from absent. */
export interface Patch {
  /** Members that are gone. */
  readonly remove?: readonly string[] | undefined;
  /** Members with their new value. */
  readonly set?: Readonly<Record<string, Json>> | undefined;
  /** Members that are objects before and after, with their own difference. */
  readonly within?: Readonly<Record<string, Patch>> | undefined;
}

const Entries = z.custom<Readonly<Record<string, Json>>>(
  (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
);

/** A patch as read from the log; its members are checked where they are applied. */
export const Patch: z.ZodType<Patch> = z.strictObject({
  remove: z.array(z.string()).optional(),
  set: Entries.optional(),
  within: z.custom<Readonly<Record<string, Patch>>>((value) => Entries.safeParse(value).success).optional(),
});

/** Deeper members are set whole. */
const MAX_DEPTH = 8;

type JsonObject = { readonly [key: string]: Json };

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Objects are read and made through entries: a member may be called `__proto__`. */
function members(value: JsonObject): Map<string, Json> {
  return new Map(Object.entries(value));
}

/** What turns `before` into `after`; undefined unless both are objects. */
export function diff(before: Json, after: Json, depth = MAX_DEPTH): Patch | undefined {
  if (!isObject(before) || !isObject(after)) return undefined;
  const old = members(before);
  const set: [string, Json][] = [];
  const within: [string, Patch][] = [];
  for (const [key, value] of Object.entries(after)) {
    const previous = old.get(key);
    old.delete(key);
    if (previous !== undefined && canonicalJson(previous) === canonicalJson(value)) continue;
    const inner = depth > 0 && previous !== undefined ? diff(previous, value, depth - 1) : undefined;
    if (inner === undefined) set.push([key, value]);
    else within.push([key, inner]);
  }
  return {
    ...(old.size === 0 ? {} : { remove: [...old.keys()] }),
    ...(set.length === 0 ? {} : { set: Object.fromEntries(set) }),
    ...(within.length === 0 ? {} : { within: Object.fromEntries(within) }),
  };
}

/** `before` with the patch applied. Throws a TypeError when the patch belongs to another value. */
export function applyPatch(before: Json, patch: Patch): Json {
  if (!isObject(before)) throw new TypeError('a patch applies to an object');
  const made = members(before);
  for (const key of patch.remove ?? []) made.delete(key);
  for (const [key, value] of Object.entries(patch.set ?? {})) made.set(key, value);
  for (const [key, inner] of Object.entries(patch.within ?? {})) {
    const member = made.get(key);
    if (member === undefined) throw new TypeError(`a patch names ${key}, which is absent`);
    made.set(key, applyPatch(member, inner));
  }
  return Object.fromEntries(made);
}
