import { type Import, importsOf, withoutComments } from './imports.ts';
import {
  eagerEngines,
  enginesFolder,
  mayImport,
  mayImportLazily,
  mayLoadEnginesEagerly,
  mayTouchTheWorld,
  packagesOnlyIn,
  pureModules,
  testSupport,
  worldly,
} from './rules.ts';

/** What a file's text shows, found once: the self-tests check the whole project again and again. */
interface Facts {
  readonly imports: readonly Import[];
  readonly touches: readonly string[];
}

const known = new Map<string, Facts>();

function factsOf(file: string, text: string): Facts {
  const key = `${file}\n${text}`;
  let facts = known.get(key);
  if (facts === undefined) {
    const code = withoutComments(text);
    facts = { imports: importsOf(file, code), touches: worldly.flatMap((pattern) => code.match(pattern)?.[0] ?? []) };
    known.set(key, facts);
  }
  return facts;
}

/** Whether a path is a place, or lies in it; `*` stands for one folder. */
function isIn(path: string, place: string): boolean {
  if (!place.includes('*')) return path === place || path.startsWith(`${place}/`);
  const parts = path.split('/');
  return place.split('/').every((part, i) => part === '*' || part === parts[i]);
}

const isInAny = (path: string, places: readonly string[]) => places.some((place) => isIn(path, place));

/** The place a file belongs to: the longest that holds it. */
function placeOf(path: string, places: readonly string[]): string | undefined {
  return places.filter((place) => isIn(path, place)).sort((a, b) => b.length - a.length)[0];
}

const isTest = (file: string) => file.endsWith('.test.ts') || isInAny(file, testSupport);
/** A test of `src` may use anything of `src`. */
const testOf = (file: string) => (isTest(file) ? file.split('/')[0] : undefined);

/**
 * Checks files against the rules.
 *
 * @param files text by path from the project's root
 * @returns one sentence a violation: the file, the import, the rule
 */
export function violations(files: ReadonlyMap<string, string>): string[] {
  const found: string[] = [];
  const facts = new Map([...files].map(([file, text]) => [file, factsOf(file, text)]));
  for (const [file, { imports, touches }] of facts) {
    for (const imported of imports) {
      const rule = imported.target.includes('/') && files.has(imported.target) ? folderRule(file, imported) : undefined;
      for (const broken of [rule, packageRule(file, imported), engineRule(file, imported), worldRule(file, imported)])
        if (broken !== undefined) found.push(`${file} imports ${imported.target}: ${broken}`);
      if (imported.reExport && isIn(file, 'src') && file !== 'src/index.ts' && imported.kind === 'static')
        found.push(`${file} re-exports ${imported.target}: only src/index.ts hands on what it imports`);
      if (isProjectFile(imported.target) && !files.has(imported.target) && !imported.target.endsWith('.json'))
        found.push(`${file} imports ${imported.target}: there is no such file`);
    }
    if (isTest(file) || isInAny(file, mayTouchTheWorld)) continue;
    for (const touched of touches)
      found.push(`${file} uses ${touched}: time, chance and environment are arguments here`);
  }
  return [...found, ...cycles(facts)];
}

const isProjectFile = (target: string) => placeOf(target, Object.keys(mayImport)) !== undefined;

/** The table of folders. */
function folderRule(file: string, { target, kind }: Import): string | undefined {
  if (isInAny(target, testSupport) && !isTest(file) && !isIn(file, 'benchmarks')) return 'it is for tests alone';
  const from = placeOf(file, Object.keys(mayImport));
  const to = placeOf(target, Object.keys(mayImport));
  if (from === undefined) return `its folder is not in test/architecture/rules.ts; add it`;
  if (to === undefined || from === to || testOf(file) === to.split('/')[0]) return undefined;
  if (kind !== 'static' && mayImportLazily[from]?.includes(to)) return undefined;
  if (mayImportLazily[from]?.includes(to)) return `${from} loads ${to} by await import() alone, or its types`;
  const allowed = mayImport[from];
  if (allowed === '*') {
    if (!isIn(from, 'src') || isIn(to, 'src')) return undefined;
  } else if (isTest(file) && isIn(to, 'src')) return undefined;
  else if (allowed.includes(to)) return undefined;
  return `${from} may import ${allowed === '*' ? 'src' : allowed.join(', ') || 'nothing'}`;
}

function packageRule(file: string, { target, kind }: Import): string | undefined {
  if ((target === 'vitest' || target === 'fast-check') && !isTest(file) && !isIn(file, 'test'))
    return 'it is for tests alone';
  for (const [name, places] of Object.entries(packagesOnlyIn)) {
    const named = name.endsWith('/') ? target.startsWith(name) : target === name || target.startsWith(`${name}/`);
    if (named && kind !== 'type' && !isTest(file) && !isInAny(file, places)) return `only ${places.join(', ')} may`;
  }
  return undefined;
}

function engineRule(file: string, { target, kind }: Import): string | undefined {
  const engineOf = (path: string) =>
    isIn(path, `${enginesFolder}/*`) && path.split('/').length > 4 ? path.split('/').slice(0, 4).join('/') : undefined;
  const to = engineOf(target);
  const from = engineOf(file);
  if (to === undefined || to === from) return undefined;
  if (from !== undefined && !isTest(file)) return 'one engine never imports another';
  if (kind === 'static' && !isTest(file) && !isInAny(to, eagerEngines) && !isInAny(file, mayLoadEnginesEagerly))
    return `${to} is loaded by await import() alone`;
  return undefined;
}

function worldRule(file: string, { target }: Import): string | undefined {
  if (!target.startsWith('node:') || pureModules.includes(target) || isTest(file)) return undefined;
  return isInAny(file, mayTouchTheWorld) ? undefined : 'files, network and processes are touched elsewhere';
}

/** Circles of static imports, types apart: each file that runs before one it needs. */
function cycles(facts: ReadonlyMap<string, Facts>): string[] {
  const found: string[] = [];
  const done = new Set<string>();
  const visit = (file: string, path: readonly string[]) => {
    const at = path.indexOf(file);
    if (at >= 0) {
      found.push(`${file} imports ${path[at + 1] ?? file}: a circle, ${[...path.slice(at), file].join(' → ')}`);
      return;
    }
    if (done.has(file)) return;
    for (const { target, kind } of facts.get(file)?.imports ?? [])
      if (kind === 'static' && facts.has(target)) visit(target, [...path, file]);
    done.add(file);
  };
  for (const file of facts.keys()) visit(file, []);
  return found;
}
