import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '../..');

/** A file of the tarball, by its path in the package. */
export interface PackedFile {
  path: string;
  size: number;
}

/** What a command printed, and how it ended. */
export interface Outcome {
  code: number | null;
  out: string;
}

/** Runs a command in `cwd`, with the environment of a user: none of what the test runner set for itself. */
export function run(cwd: string, command: string, ...args: string[]): Promise<Outcome> {
  const env = {
    ...Object.fromEntries(
      Object.entries(process.env).filter(
        ([name]) => !/^(VITEST|NODE_ENV$|NODE_OPTIONS$|npm_|TEST$|MODE$|PROD$|DEV$|SSR$|BASE_URL$)/.test(name),
      ),
    ),
    NO_COLOR: '1',
    FORCE_COLOR: '0',
  };
  const child = spawn(command, args, { cwd, env });
  let out = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (out += text));
  return new Promise((done, failed) => {
    child.on('error', failed);
    child.on('close', (code) => done({ code, out }));
  });
}

/** As {@link run}, for Node; throws unless the program ends well. */
export async function node(cwd: string, ...args: string[]): Promise<string> {
  const { code, out } = await run(cwd, process.execPath, ...args);
  if (code !== 0) throw new Error(`node ${args.join(' ')} ended with code ${code}:\n${out}`);
  return out;
}

/** The tarball of this tree, and scratch projects that have it as their `evenkeel`. */
export class Packed {
  readonly files: PackedFile[];
  readonly folder: string;
  readonly #tarball: string;

  private constructor(folder: string, tarball: string, files: PackedFile[]) {
    this.folder = folder;
    this.#tarball = tarball;
    this.files = files;
  }

  /** Builds and packs a copy of the tree, so that a `dist` that others use stays as it is. */
  static async make(): Promise<Packed> {
    const folder = mkdtempSync(join(tmpdir(), 'evenkeel-packed-'));
    const tree = join(folder, 'tree');
    mkdirSync(tree);
    const { files: listed } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { files: string[] };
    for (const name of ['package.json', 'tsconfig.json', 'README.md', 'LICENSE', ...listed.filter((n) => n !== 'dist')])
      cpSync(join(root, name), join(tree, name), { recursive: true });
    symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
    await node(tree, 'src/cli/setup.mjs', 'build');
    const { code, out } = await run(tree, 'npm', 'pack', '--ignore-scripts', '--json', '--loglevel=error');
    if (code !== 0) throw new Error(`npm pack: ${out}`);
    const report = JSON.parse(out.slice(out.search(/^[[{]/m))) as unknown;
    const [{ filename, files }] = Object.values(report as object) as [{ filename: string; files: PackedFile[] }];
    return new Packed(folder, join(tree, filename), files);
  }

  /** A copy of the project of that name, with the tarball unpacked and links to the tools that it uses. */
  async project(name: string, tools: readonly string[] = []): Promise<string> {
    const to = mkdtempSync(join(this.folder, `${name}-`));
    cpSync(join(import.meta.dirname, 'projects', name), to, { recursive: true });
    writeFileSync(
      join(to, 'package.json'),
      JSON.stringify({ name, private: true, type: 'module', dependencies: { evenkeel: '*' } }),
    );
    const at = join(to, 'node_modules/evenkeel');
    mkdirSync(at, { recursive: true });
    const { code, out } = await run(to, 'tar', '-xzf', this.#tarball, '-C', at, '--strip-components=1');
    if (code !== 0) throw new Error(out);
    for (const tool of tools) {
      const link = join(to, 'node_modules', tool);
      mkdirSync(dirname(link), { recursive: true });
      symlinkSync(join(root, 'node_modules', tool), link);
    }
    return to;
  }

  /** A file of the repository. */
  static at(...parts: string[]): string {
    return join(root, ...parts);
  }

  dispose(): void {
    if (existsSync(this.folder)) rmSync(this.folder, { recursive: true, force: true });
  }
}

/** The fenced blocks of a page of the documentation, in one language. */
export function snippets(page: string, language: string): string[] {
  return [
    ...readFileSync(join(root, page), 'utf8').matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\``, 'gm')),
  ].map((m) => m[1]!);
}
