import { cpSync, mkdirSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

import { DockerfileParser, type Instruction, type JSONInstruction } from 'dockerfile-ast';
import { execa } from 'execa';
import { z } from 'zod';

import { ROOT, textOf } from './tree.ts';

/** A program of a RUN, with the variables it runs with. */
type VariablesOf = (line: string) => Readonly<Record<string, string>>;

/** A folder that holds what an image would, as far as the steps of the Dockerfile need no machine of their own. */
export interface ImageFolder {
  /** Where a path of the image lies. */
  readonly at: (path: string) => string;
  /** The last CMD, as it stands there. */
  readonly command: readonly string[];
  /** Lines that were run. */
  readonly ran: readonly string[];
}

/** What changes the machine, and is there already: the package manager, Debian's packages, and users. */
const OF_THE_MACHINE = /^(npm install --global pnpm@|apt-get |groupadd |useradd )/;

const wordsOf = (instruction: Instruction): readonly string[] =>
  instruction.getArguments().map((argument) => argument.getValue());

/** Whether a path of the build's context is left out, by the patterns this repository uses. */
function ignoring(): (path: string) => boolean {
  const patterns = textOf('deploy/docker/Dockerfile.dockerignore').split('\n').filter(Boolean);
  const tests = patterns.map((pattern) => {
    const text = pattern.replaceAll('.', '\\.').replaceAll(/(?<!\*)\*(?!\*)/g, '[^/]*');
    return new RegExp(`^${text.replace('**/', '(.*/)?')}$`);
  });
  return (path) => tests.some((test) => test.test(path));
}

/** Does the steps of deploy/docker/Dockerfile in order, below a folder in place of the root directory. */
export async function buildFolder(
  root: string,
  variables: VariablesOf,
  timeout: number,
): Promise<ImageFolder> {
  const ignored = ignoring();
  const at = (path: string): string => join(root, path);
  const below = (line: string): string => line.replaceAll('/opt/caloron', at('/opt/caloron'));
  const ran: string[] = [];
  let cwd = '/';
  let command: readonly string[] = [];

  const copy = (instruction: Instruction): void => {
    const words = wordsOf(instruction);
    const target = words.at(-1) ?? '';
    const into = target.startsWith('/') ? target : join(cwd, target);
    const from = instruction.getArguments().length > 2 || target.endsWith('/');
    for (const source of words.slice(0, -1)) {
      const to = at(from ? join(into, source) : into);
      mkdirSync(dirname(to), { recursive: true });
      cpSync(join(ROOT, source), to, {
        recursive: true,
        filter: (path) => !ignored(relative(ROOT, path)),
      });
    }
  };
  const run = async (line: string): Promise<void> => {
    if (OF_THE_MACHINE.test(line)) return;
    mkdirSync(at(cwd), { recursive: true });
    const options = {
      cwd: at(cwd),
      env: variables(line),
      extendEnv: false,
      stdin: 'ignore',
      timeout,
    } as const;
    await execa('sh', ['-c', below(line)], options);
    ran.push(line);
  };

  for (const one of DockerfileParser.parse(textOf('deploy/docker/Dockerfile')).getInstructions()) {
    const keyword = one.getKeyword();
    if (keyword === 'FROM') cwd = '/';
    if (keyword === 'WORKDIR') cwd = wordsOf(one)[0] ?? '';
    // What a later stage takes of an earlier one keeps its path.
    if (keyword === 'COPY' && !wordsOf(one).includes('/opt/caloron')) copy(one);
    if (keyword === 'RUN') await run(wordsOf(one).join(' '));
    if (keyword === 'CMD')
      command = (one as JSONInstruction)
        .getJSONStrings()
        .map((text) => z.string().parse(JSON.parse(text.getValue())));
  }
  return { at, command, ran };
}
