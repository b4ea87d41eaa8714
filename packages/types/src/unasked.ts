/** What an agent's program may do without being asked. */
export interface Unasked {
  /** As it is run by default. */
  readonly by_default: string;
  /** Where CALORON_ALLOW_DANGEROUS names its framework; null where that changes nothing. */
  readonly dangerous: string | null;
}

const EVERYTHING = 'everything its sandbox allows; without one, everything you may';

/** By framework, in the words of SECURITY.md. What is not granted is refused: nobody is there to be asked. */
export const UNASKED: Readonly<Record<string, Unasked>> = {
  'claude-code': {
    by_default: 'read, change files; run what its settings and `allowed_tools` name',
    dangerous: EVERYTHING,
  },
  'codex-cli': {
    by_default: 'read, change files and run commands in its own sandbox: the worktree, no network',
    dangerous: EVERYTHING,
  },
  'gemini-cli': { by_default: 'read, change files', dangerous: EVERYTHING },
  'cursor-cli': { by_default: 'what its own settings allow', dangerous: EVERYTHING },
  'open-code': { by_default: 'what its own settings allow, in the worktree', dangerous: EVERYTHING },
  aider: { by_default: 'everything: it answers its own questions with yes', dangerous: null },
  acp: {
    by_default: 'read, search, change files of the worktree; what option `allow` names',
    dangerous: EVERYTHING,
  },
  command: { by_default: 'everything: it is never held back', dangerous: null },
  stub: { by_default: 'what its script says', dangerous: null },
};

/** What a framework's program may do unasked, where CALORON_ALLOW_DANGEROUS holds `named`; null for a framework nobody knows. */
export function unaskedOf(framework: string, named: string | undefined): string | null {
  const found = Object.hasOwn(UNASKED, framework) ? UNASKED[framework] : undefined;
  if (found === undefined) return null;
  const allowed = (named ?? '').split(/[\s,]+/).includes(framework);
  return allowed && found.dangerous !== null
    ? `${found.dangerous} (CALORON_ALLOW_DANGEROUS)`
    : found.by_default;
}
