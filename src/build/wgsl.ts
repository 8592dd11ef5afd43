import { readFileSync } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { WgslReflect } from 'wgsl_reflect/wgsl_reflect.module.js';

/** Size of a struct in bytes, and where its fields lie. */
interface StructLayout {
  size: number;
  fields: Record<string, [offset: number, type: string]>;
}

/** What the run time needs to know of one shader file. */
export interface WgslModule {
  name: string;
  code: string;
  params: StructLayout | null;
  /** Of storage buffers that are one struct, by the name of the struct. */
  structs?: Record<string, StructLayout>;
  entries: Record<string, { workgroup: string[]; bindings: [name: string, binding: number, access: string][] }>;
  variants: string[];
}

/** A shader read from disk: its reflection and the files that it includes. */
export interface WgslSource {
  module: WgslModule;
  files: string[];
}

const USE = /^\/\/ use (\S+)[ \t]*$/gm;

/**
 * Reads a shader, resolves its `// use lib/x.wgsl` lines (paths relative to the folder of the top file; each file is
 * included once) and reflects entry points, bindings, the packed `Params` layout and the declarations marked
 * `// variant`. Throws an Error that names file and line when the shader does not parse.
 */
export function loadWgsl(path: string): WgslSource {
  const files: string[] = [];
  const include = (file: string): string => {
    if (files.includes(file)) return '';
    files.push(file);
    return readFileSync(file, 'utf8').replace(USE, (_, target: string) => include(resolve(dirname(path), target)));
  };
  const source = include(path);
  const module = reflect(basename(path, '.wgsl'), source, path);
  const library = files
    .slice(1)
    .flatMap((file) => [...readFileSync(file, 'utf8').matchAll(DECLARATION)].map((m) => m[1]!));
  return { module: { ...module, code: prune(module.code, new Set(library)) }, files };
}

const DECLARATION = /^(?:fn|const|override|alias|struct) (\w+)/gm;

/**
 * Minified code without the declarations of `library` that nothing else names. A shader with a function marked
 * `// variant` keeps all of them: its bodies come at run time, and may call any.
 */
function prune(code: string, library: ReadonlySet<string>): string {
  if (/^fn .*\/\/ variant$/m.test(code)) return code;
  const items: { name: string; text: string }[] = [];
  let rest = '';
  let end = 0;
  for (const match of code.matchAll(DECLARATION)) {
    const [, name] = match as unknown as [string, string];
    const text = declarationAt(code, match.index);
    if (!library.has(name) || /\/\/ variant$/.test(text)) continue;
    rest += code.slice(end, match.index);
    items.push({ name, text });
    end = match.index + text.length + 1;
  }
  rest += code.slice(end);
  const used = new Set<string>();
  const queue = [rest];
  for (let text = queue.pop(); text !== undefined; text = queue.pop()) {
    const named = new Set(text.match(/\w+/g));
    for (const item of items) {
      if (!named.has(item.name) || used.has(item.name)) continue;
      used.add(item.name);
      queue.push(item.text);
    }
  }
  return [...items.filter(({ name }) => used.has(name)).map(({ text }) => text), rest.trim()].join('\n');
}

/** The declaration that starts at `start`, to the end of its last line. */
function declarationAt(code: string, start: number): string {
  let depth = 0;
  for (let i = start; ; i++) {
    if (code[i] === '{') depth++;
    else if (code[i] === '}') depth--;
    // A body on one line may be followed by a mark and the body of a software adapter.
    else if ((code[i] === '\n' || i >= code.length) && depth === 0) return code.slice(start, i);
  }
}

/**
 * Comments, indentation and spaces that part no tokens dropped, but for constants and lines with a `// variant`,
 * `// unroll` or `// software` mark: the run time reads these.
 */
export function minifyWgsl(source: string): string {
  return source
    .split('\n')
    .map((line) => line.replace(/\/\/(?! (variant|unroll|software .*)$).*$/, '').trim())
    .filter(Boolean)
    .map((line) => (/^(const|override|alias) |\/\/ /.test(line) ? line : dense(line)))
    .join('\n');
}

/** Without the spaces around signs that no neighbour turns into another token, as in `a / *p`, `a - -b` and `a - 1`. */
function dense(line: string): string {
  return line
    .replace(/(?<=[\w\])]) (==?|!=|[+*/]|-(?! \d)|&&|\|\|) (?=[\w(])/g, '$1')
    .replace(/([,:;{}]) /g, '$1')
    .replace(/ (?=[{}])/g, '');
}

function reflect(name: string, source: string, path: string): WgslModule {
  let parsed: WgslReflect;
  try {
    parsed = new WgslReflect(source);
  } catch (error) {
    throw new Error(`${path}: WGSL does not parse: ${(error as Error).message ?? JSON.stringify(error)}`);
  }
  const uniform = parsed.uniforms[0];
  if (parsed.uniforms.length > 1 || (uniform && (uniform.name !== 'params' || uniform.binding !== 0))) {
    throw new Error(`${path}: expected at most one uniform, \`params\` at binding 0`);
  }
  const params = uniform && layoutOf(uniform.type);
  const structs = Object.fromEntries(
    parsed.storage.filter(({ type }) => 'members' in type).map(({ type }) => [type.name, layoutOf(type)]),
  );
  const entries: WgslModule['entries'] = {};
  for (const entry of parsed.entry.compute) {
    const size = entry.attributes?.find((a) => a.name === 'workgroup_size')?.value;
    const workgroup = (Array.isArray(size) ? size : [size]).map(String);
    const bindings = entry.resources
      .map((r): [string, number, string] => [r.name, r.binding, r.name === 'params' ? 'uniform' : r.access])
      .sort((a, b) => a[1] - b[1]);
    entries[entry.name] = { workgroup: [...workgroup, '1', '1'].slice(0, 3), bindings };
  }
  const variants = [...source.matchAll(/^(?:override (\w+).*|(?:const|alias|fn) (\w+).*\/\/ variant)$/gm)].map(
    (m) => (m[1] ?? m[2])!,
  );
  return {
    name,
    code: minifyWgsl(source),
    params: params ?? null,
    ...(Object.keys(structs).length > 0 && { structs }),
    entries,
    variants,
  };
}

function layoutOf(type: { size: number }): StructLayout {
  const { size, members } = type as unknown as {
    size: number;
    members: { name: string; offset: number; type: { name: string } }[];
  };
  return { size, fields: Object.fromEntries(members.map((m) => [m.name, [m.offset, m.type.name]])) };
}

const FIELD_TYPES: Record<string, string> = { u32: 'number', i32: 'number', f32: 'number' };

/** The TypeScript declaration of a shader module, written next to it as `x.d.wgsl.ts`. */
export function declareWgsl(module: WgslModule, runtime: string): string {
  const typed = ({ fields }: StructLayout): string =>
    Object.entries(fields)
      .map(([n, [, t]]) => `${n}: ${FIELD_TYPES[t] ?? 'readonly number[]'}`)
      .join('; ');
  const variants = module.variants.map((v) => `'${v}'`).join(' | ') || 'never';
  const lines = Object.entries(module.entries).map(([entry, { bindings }]) => {
    const used = bindings.some(([n]) => n === 'params');
    const buffers =
      bindings
        .filter(([n]) => n !== 'params')
        .map(([n]) => `'${n}'`)
        .join(' | ') || 'never';
    return `  readonly ${entry}: Kernel<${used ? 'Params' : 'Record<string, never>'}, ${buffers}, ${variants}>;`;
  });
  return [
    `// Generated from ${module.name}.wgsl; do not edit.`,
    `import type { Kernel, KernelModule } from '${runtime}';`,
    'export declare const module: KernelModule;',
    `interface Params { ${module.params ? typed(module.params) : ''} }`,
    ...Object.entries(module.structs ?? {}).map(([struct, layout]) => `export type ${struct} = { ${typed(layout)} };`),
    'declare const kernel: {',
    ...lines,
    '};',
    'export default kernel;',
    '',
  ].join('\n');
}

/** The JavaScript module that an `import kernel from './x.wgsl'` gets; it exports the reflected shader as well. */
export function emitWgsl(module: WgslModule, runtime: string): string {
  return (
    `import { defineKernel } from ${JSON.stringify(runtime)};\n` +
    `export const module = ${JSON.stringify(module)};\nexport default /* @__PURE__ */ defineKernel(module);\n`
  );
}
