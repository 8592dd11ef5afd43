/** Shader text after specialisation. */
export interface Specialized {
  code: string;
  /** The value of each integer constant, those that the pipeline may override too. */
  constants: Record<string, number>;
  /** Values that the pipeline gives in place of the defaults of `override` declarations. */
  overrides: Record<string, number>;
}

/**
 * Replaces declarations marked `// variant` and unrolls loops marked `// unroll`. Both marks are comments, so a shader
 * is valid WGSL as it lies on disk. Values come from kernel code only, never from user input.
 *
 *     override RELU: u32 = 0u;                      number: the text stays, the pipeline gives the value
 *     const BLOCK = 4u; // variant                  number: replaced; for lengths of arrays and bounds of loops
 *     fn apply(x: f32) -> f32 { return x; } // variant    string: the body is replaced
 *     fn apply(x: f32) -> f32 { // variant          the same, up to the next line that is a brace
 *     fn apply(x: f32) -> f32 { return x; } // software return y;    the body for software adapters
 *     alias Element = f32; // variant               string: the type is replaced
 *     for (var i = 0u; i < BLOCK; i++) { // unroll  the body is written out BLOCK times, `i` as a literal
 */
export function specialize(
  source: string,
  variant: Partial<Record<string, number | string>>,
  bodies: 'hardware' | 'software' = 'hardware',
): Specialized {
  let code =
    bodies === 'software' ? source.replace(/^(fn \w+\([^{]*\{ ).* \} \/\/ software (.*)$/gm, '$1$2 }') : source;
  const overrides: Record<string, number> = {};
  for (const name in variant) {
    const value = variant[name]!;
    if (typeof value === 'number' && new RegExp(`^override ${name}: `, 'm').test(code)) {
      overrides[name] = value;
      continue;
    }
    const before = code;
    code =
      typeof value === 'number'
        ? code.replace(
            new RegExp(`^const ${name} = [-\\w.]+?(u|f)?; // variant$`, 'm'),
            (_, suffix = '') => `const ${name} = ${literal(value, suffix)};`,
          )
        : code
            .replace(new RegExp(`^(fn ${name}\\([^{]*\\{ ).* \\} // variant$`, 'm'), (_, head) => `${head}${value} }`)
            .replace(
              new RegExp(`^(fn ${name}\\([^{]*\\{ )// variant\\n[^]*?\\n\\}$`, 'm'),
              (_, head) => `${head}${value} }`,
            )
            .replace(new RegExp(`^alias ${name} = .*; // variant$`, 'm'), `alias ${name} = ${value};`);
    if (code === before)
      throw new Error(`shader has no variant declaration ${name} that takes ${JSON.stringify(value)}`);
  }
  const constants: Record<string, number> = {};
  for (const [, name, value] of code.matchAll(/^(?:const|override) (\w+)(?:: \w+)? = (\d+)u?;/gm)) {
    constants[name!] = overrides[name!] ?? Number(value);
  }
  // Products of constants, as `const ROWS = BLOCK * 4u;`
  for (const [, name, a, b] of code.matchAll(/^const (\w+)(?:: \w+)? = (\w+) \* (\w+);/gm)) {
    constants[name!] = (constants[a!] ?? Number.parseInt(a!)) * (constants[b!] ?? Number.parseInt(b!));
  }
  return { code: unroll(code, constants), constants, overrides };
}

function literal(value: number, suffix: string): string {
  if (suffix === 'f') return `${Number.isInteger(value) ? value.toFixed(1) : value}f`;
  return `${value}${suffix}`;
}

const LOOP = /for \(var (\w+) = 0u; \1 < (\w+); \1\+\+\) \{ \/\/ unroll\n/;

function unroll(code: string, constants: Record<string, number>): string {
  for (let m = LOOP.exec(code); m; m = LOOP.exec(code)) {
    const [head, variable, bound] = m as unknown as [string, string, string];
    const count = constants[bound] ?? Number.parseInt(bound);
    if (!Number.isInteger(count)) throw new Error(`unroll: the bound ${bound} is not a known constant`);
    const start = m.index + head.length;
    let depth = 1;
    let end = start;
    for (; depth > 0 && end < code.length; end++) {
      if (code[end] === '{') depth++;
      else if (code[end] === '}') depth--;
    }
    const body = code.slice(start, end - 1);
    const name = new RegExp(`\\b${variable}\\b`, 'g');
    let out = '';
    for (let i = 0; i < count; i++) out += `{\n${body.replace(name, `${i}u`)}}\n`;
    code = code.slice(0, m.index) + out + code.slice(end);
  }
  return code;
}
