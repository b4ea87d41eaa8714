import { nearest } from '../types/nearest.ts';
import { isObject } from '../types/value.ts';
import { EFFECT_KINDS, type EffectJson, effectSet } from './identity.ts';

/** What each effect carries beside its kind; the others carry nothing. */
const PAYLOADS: Readonly<Record<string, 'cents' | 'path' | 'model'>> = {
  Cost: 'cents',
  FsRead: 'path',
  FsWrite: 'path',
  Llm: 'model',
};
/** What a bare word stands for where the original gives it a payload. */
const DEFAULTS: ReadonlyMap<string, EffectJson> = new Map([
  ['Llm', { effect: 'Llm', model: 'unknown' }],
  ['Cost', { effect: 'Cost', cents: 0 }],
]);

const plain = (word: string): string => word.toLowerCase().replaceAll(/[-_ ]/gu, '');
const KIND_OF: ReadonlyMap<string, string> = new Map(EFFECT_KINDS.map((kind) => [plain(kind), kind]));

/**
 * Effects of a spec file, as a set: words as `Network` or `non-deterministic`, or objects as `{"effect":"FsRead","path":"…"}`.
 * None at all means Pure, as in the original; one that is not known is noted, never dropped.
 */
export function readEffects(
  given: unknown,
  note: (path: string, reason: string) => void,
): readonly EffectJson[] {
  if (given === undefined || given === null) return [{ effect: 'Pure' }];
  if (!Array.isArray(given)) {
    note('effects', 'expected a list of effects');
    return [];
  }
  const effects = given.flatMap((item: unknown, i) => readEffect(item, `effects[${i}]`, note));
  return given.length === 0 ? [{ effect: 'Pure' }] : effectSet(effects);
}

function readEffect(
  given: unknown,
  path: string,
  note: (path: string, reason: string) => void,
): readonly EffectJson[] {
  const word = typeof given === 'string' ? given : isObject(given) ? given['effect'] : undefined;
  const kind = typeof word === 'string' ? KIND_OF.get(plain(word)) : undefined;
  if (kind === undefined) {
    const said = typeof word === 'string' ? JSON.stringify(word) : 'this';
    const close = typeof word === 'string' ? nearest(word, EFFECT_KINDS)[0] : undefined;
    const known = close === undefined ? `known are ${EFFECT_KINDS.join(', ')}` : `did you mean ${close}?`;
    note(path, `${said} is no effect; ${known}`);
    return [];
  }
  const payload = Object.hasOwn(PAYLOADS, kind) ? PAYLOADS[kind] : undefined;
  if (payload === undefined) return [{ effect: kind }];
  const value = isObject(given) ? given[payload] : undefined;
  const fallback = DEFAULTS.get(kind);
  if (value === undefined && fallback !== undefined) return [fallback];
  if (payload === 'cents' ? isCents(value) : typeof value === 'string' && value !== '')
    return [{ effect: kind, [payload]: value as string | number }];
  const expected = payload === 'cents' ? 'whole cents from 0' : 'a text that is not empty';
  note(path, `${kind} needs ${payload}: {"effect":"${kind}","${payload}":…} with ${expected}`);
  return [];
}

function isCents(value: unknown): boolean {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
