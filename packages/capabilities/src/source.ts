import { readFileSync } from 'node:fs';
import path from 'node:path';

import { SourceError } from './errors.ts';

/** Where a module names another: `import … from`, `export … from`, `import '…'`, `import('…')`. Types count: they shape the stage. */
const SPECIFIERS = [
  /^[ \t]*(?:import|export)\b[^'";]*?\bfrom\s*(['"])(\.{1,2}\/[^'"]+)\1/gm,
  /^[ \t]*import\s*(['"])(\.{1,2}\/[^'"]+)\1/gm,
  /\bimport\(\s*(['"])(\.{1,2}\/[^'"]+)\1\s*\)/g,
];

function relativeImports(text: string): readonly string[] {
  return SPECIFIERS.flatMap((pattern) => [...text.matchAll(pattern)].map((match) => match[2] ?? ''));
}

/** The path relative to the root with `/`; throws SOURCE_OUTSIDE. */
function inside(root: string, file: string, imported_by: string | null): string {
  const relative = path.relative(root, file).split(path.sep).join('/');
  if (relative === '..' || relative.startsWith('../') || path.isAbsolute(relative)) {
    throw new SourceError('SOURCE_OUTSIDE', { file, imported_by });
  }
  return relative;
}

function textOf(root: string, relative: string, imported_by: string | null): string {
  try {
    return readFileSync(path.join(root, relative), 'utf8').replaceAll('\r\n', '\n');
  } catch (cause) {
    const hint = 'relative imports name their file with its ending: ./x.ts';
    throw new SourceError('SOURCE_MISSING', { file: relative, imported_by }, { cause, hint });
  }
}

/**
 * The text of a stage file and of all it imports by relative path, recursively: path relative to `root` with `/` → text
 * with LF line ends, in path order. `file` is relative to `root`. Throws SOURCE_MISSING or SOURCE_OUTSIDE.
 */
export function readStageArchive(root: string, file: string): Record<string, string> {
  const base = path.resolve(root);
  const texts = new Map<string, string>();
  const open: { readonly relative: string; readonly imported_by: string | null }[] = [
    { relative: inside(base, path.resolve(base, file), null), imported_by: null },
  ];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { relative, imported_by } = next;
    if (texts.has(relative)) continue;
    const text = textOf(base, relative, imported_by);
    texts.set(relative, text);
    const folder = path.join(base, path.dirname(relative));
    for (const specifier of relativeImports(text)) {
      open.push({ relative: inside(base, path.resolve(folder, specifier), relative), imported_by: relative });
    }
  }
  return Object.fromEntries([...texts].sort(([a], [b]) => (a < b ? -1 : 1)));
}
