import { checkedHost } from '@caloron/capabilities/token-hosts';
import { nearest } from '@caloron/noether';
import { messageOf } from '@caloron/noether/errors';
import { FRAMEWORK_NAMES, frameworkOptions, lacksPrice, ProjectConfig } from '@caloron/types';
import { z } from 'zod';

/** A value read as caloron.json: the settings, or every problem, each by its place. */
export type CheckedProject =
  | { readonly config: ProjectConfig; readonly problems?: undefined }
  | { readonly config?: undefined; readonly problems: readonly string[] };

/** Whether a value is a caloron.json whose every setting means something. */
export function checkProject(value: unknown): CheckedProject {
  const parsed = ProjectConfig.safeParse(value);
  if (!parsed.success) return { problems: schemaProblems(parsed.error) };
  const problems = meaningProblems(parsed.data);
  return problems.length === 0 ? { config: parsed.data } : { problems };
}

/** Settings that are lists of words: who writes them as a text is shown how. */
const COMMAND_HINTS: readonly (readonly [RegExp, string])[] = [
  [/^verify$/, 'expected a list of commands, each a list of words, as [["npm", "test"]]'],
  [/^verify\.\d+$/, 'expected a command as a list of words, as ["npm", "test"]'],
  [/^workspace\.hooks\.[^.]+$/, 'expected a command as a list of words, as ["npm", "ci"]'],
];

/** What refusing a value as caloron.json says: a line per place, with the name that was probably meant. */
function schemaProblems(error: z.ZodError): readonly string[] {
  return error.issues.flatMap((issue) => {
    const place = issue.path.join('.');
    const at = place === '' ? 'the file' : place;
    if (issue.code === 'unrecognized_keys') {
      const known = fieldsAt(ProjectConfig, issue.path);
      return issue.keys.map((key) => `${at}: there is no field ${JSON.stringify(key)}${meant(key, known)}`);
    }
    const [, shown] =
      issue.code === 'invalid_type' ? (COMMAND_HINTS.find(([where]) => where.test(place)) ?? []) : [];
    return [`${at}: ${shown ?? issue.message}`];
  });
}

/** What no schema sees: settings that are of the right type and could never hold. */
function meaningProblems(config: ProjectConfig): readonly string[] {
  const { framework, framework_options, capacity } = config;
  const unknown = (at: string, name: string): string =>
    `${at}: there is no framework ${JSON.stringify(name)}${meant(name, FRAMEWORK_NAMES)}`;
  const known = FRAMEWORK_NAMES.includes(framework);
  const options = frameworkOptions(framework);
  return [
    ...hostProblems(config.host),
    ...(known ? [] : [unknown('framework', framework)]),
    ...Object.keys(framework_options)
      .filter((name) => known && !options.includes(name))
      .map(
        (name) =>
          `framework_options: ${framework} has no option ${JSON.stringify(name)}${meant(name, options)}`,
      ),
    ...Object.keys(capacity?.frameworks ?? {})
      .filter((name) => !FRAMEWORK_NAMES.includes(name))
      .map((name) => unknown('capacity.frameworks', name)),
    ...(lacksPrice(config)
      ? ['budget: a limit in cost_usd needs a price for every model: add "default" to prices']
      : []),
  ];
}

function hostProblems(host: string | null): readonly string[] {
  try {
    checkedHost(host);
    return [];
  } catch (error) {
    return [`host: ${messageOf(error)}`];
  }
}

function meant(written: string, known: readonly string[]): string {
  const [close] = nearest(written, known);
  return close === undefined ? `; known are ${known.join(', ')}` : `; did you mean ${JSON.stringify(close)}?`;
}

/** The names of the fields that a schema has at a place. */
function fieldsAt(schema: z.core.$ZodType, [step, ...rest]: readonly PropertyKey[]): readonly string[] {
  const inner = unwrapped(schema);
  if (inner instanceof z.ZodObject) {
    const shape: Readonly<Record<string, z.core.$ZodType>> = inner.shape;
    if (step === undefined) return Object.keys(shape).filter((name) => name !== '$schema');
    const next = Object.hasOwn(shape, step) ? shape[String(step)] : undefined;
    return next === undefined ? [] : fieldsAt(next, rest);
  }
  if (inner instanceof z.ZodRecord && step !== undefined) return fieldsAt(inner.valueType, rest);
  return [];
}

function unwrapped(schema: z.core.$ZodType): z.core.$ZodType {
  const wrapper =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable;
  return wrapper ? unwrapped(schema.unwrap()) : schema;
}
