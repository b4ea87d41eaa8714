/** Where Python code of a spec file leaves the contract of a stage: a function `execute`, and nothing read from standard input. */
export function pythonProblems(code: string): readonly string[] {
  const outside = moduleLevel(code);
  const problems: string[] = [];
  if (!outside.some((line) => /^(?:async\s+)?def\s+execute\s*\(/u.test(line)))
    problems.push('expected a function at the beginning of a line: def execute(input):');
  if (outside.some((line) => /^\s*if\s+__name__\b.*['"]__main__['"]/u.test(line)))
    problems.push('a stage has no if __name__ == "__main__" block: execute is called with the input');
  if (outside.some((line) => /\bsys\s*\.\s*stdin\b/u.test(line)))
    problems.push('a stage does not read sys.stdin: execute is called with the input');
  if (outside.some((line) => /(?<![\w.])input\s*\(/u.test(line)))
    problems.push('a stage does not call input(): execute is called with the input');
  return problems;
}

/** Lines that run when the module is loaded: those not inside a function or class, without comments. */
function moduleLevel(code: string): readonly string[] {
  let inside = false;
  return code.split(/\r?\n/u).flatMap((line) => {
    const text = line.replace(/(^|\s)#.*$/u, '$1');
    if (text.trim() === '') return [];
    if (/^\S/u.test(text)) inside = /^(?:(?:async\s+)?def|class)\b/u.test(text);
    return inside && /^\s/u.test(text) ? [] : [text];
  });
}
