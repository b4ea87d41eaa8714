import { z } from 'zod';

/** What every id looks like; a path, a branch, a table key or an object's key can be made of it without quoting: `__proto__` is no id. */
export const ID_PATTERN = /^(?!__proto__$)[a-z0-9_-]{1,64}$/;

/** The id of a sprint, a task or an agent. */
export const Id = z
  .string()
  .regex(ID_PATTERN, 'expected an id like login-form: a-z, 0-9, _ and -, at most 64')
  .meta({ title: 'Id' });
export type Id = z.infer<typeof Id>;

/** A git commit: 40 lower-case hex digits. */
export const Sha = z
  .string()
  .regex(/^[0-9a-f]{40}$/, 'expected a commit of 40 hex digits')
  .meta({ title: 'Sha' });
export type Sha = z.infer<typeof Sha>;

/** A repository as the forge names it: `owner/name`. */
export const RepoName = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,100}\/[A-Za-z0-9_.-]{1,100}$/, {
    error: 'expected a repository like owner/name',
    abort: true,
  })
  .refine(
    (name) => !name.split('/').some((part) => /^\.+$/.test(part)),
    'expected a repository like owner/name',
  )
  .meta({ title: 'RepoName' });
export type RepoName = z.infer<typeof RepoName>;

/** The name of an environment variable that holds a token, never the token. */
export const TokenEnv = z
  .string()
  .regex(/^[A-Z][A-Z0-9_]{0,63}$/, 'expected the name of an environment variable like GITHUB_TOKEN')
  .meta({ title: 'TokenEnv' });
export type TokenEnv = z.infer<typeof TokenEnv>;

/** Makes an id of free text: lower case, runs of other characters become `-`, at most 40 characters; `fallback` when nothing is left. */
export function slug(text: string, fallback = 'task'): Id {
  const made = text
    .normalize('NFKD')
    .replaceAll(/\p{M}/gu, '')
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 40)
    .replaceAll(/^-+|-+$/g, '');
  return Id.parse(made === '' ? fallback : made);
}
