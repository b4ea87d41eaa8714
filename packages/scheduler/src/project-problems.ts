import { checkedHost } from '@caloron/capabilities/token-hosts';
import { messageOf } from '@caloron/noether/errors';
import { FRAMEWORK_NAMES, frameworkOptions, lacksPrice, ProjectConfig } from '@caloron/types';
import type { z } from 'zod';

import { fieldsAt, meant } from './schema-problems.ts';

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
