#!/usr/bin/env node
// Builds the native engine, native/build/limelight.node, with whatever C++20 compiler is there and nothing else. npm runs
// it at install, so it must never make an install fail: without --strict it exits 0 and says in one line what is missing.
//
//   node native/build.mjs [--strict] [--sanitize] [--test] [--target arm64-qemu]
//
// --strict    exit 1 if it cannot be built
// --sanitize  with AddressSanitizer and UndefinedBehaviorSanitizer, into native/build-sanitize/
// --test      the kernel tests as a program, built and run, in place of the addon
// --target    arm64-qemu: cross-compiles the kernel tests for 64-bit ARM and runs them under QEMU
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism } from 'node:os';
import { basename, dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const here = dirname(fileURLToPath(import.meta.url));

const { values: options } = parseArgs({
  options: {
    strict: { type: 'boolean', default: false },
    sanitize: { type: 'boolean', default: false },
    test: { type: 'boolean', default: false },
    target: { type: 'string' },
  },
});

const avx512 = ['f', 'bw', 'dq', 'vl', 'vnni', 'bf16'].map((part) => `-mavx512${part}`);
/** The flags of the files that are compiled for one instruction set, by file name; files of other architectures are left out. */
const isaFlags = {
  x64: {
    scalar: [],
    avx2: ['-mavx2', '-mfma', '-mf16c'],
    avx512: [...avx512, '-mfma'],
    amx: [...avx512, '-mfma', '-mamx-tile', '-mamx-bf16', '-mamx-int8'],
  },
  arm64: { scalar: [], neon: [] },
};
const isaNames = ['scalar', 'neon', 'avx2', 'avx512', 'amx'];

const baseFlags = [
  ...[
    '-std=c++20',
    '-fPIC',
    '-fvisibility=hidden',
    '-fno-exceptions',
    '-fno-math-errno',
    '-fno-trapping-math',
    '-ffp-contract=off',
  ],
  // GCC 12 warns of uninitialised variables inside its own AVX-512 header; clang does not know that option.
  ...['-Wall', '-Wextra', '-Wno-unknown-warning-option', '-Wno-uninitialized', '-Wno-maybe-uninitialized'],
  ...(process.env.CI && options.strict ? ['-Werror'] : []), // not at an install, whatever compiler that has
];
const sanitizeFlags = ['-fsanitize=address,undefined', '-fno-sanitize-recover=undefined'];

/** A reason not to go on that is told in one line; `log` is what the compiler said. */
class BuildError extends Error {
  constructor(message, log = '', remedy = 'mend that') {
    super(message);
    this.log = log;
    this.remedy = remedy;
  }
}

const runs = (command) => spawnSync(command[0], [...command.slice(1), '--version']).status === 0;

function findCompiler() {
  const candidates = [process.env.CXX, 'c++', 'g++', 'clang++'].filter(Boolean).map((line) => line.trim().split(/\s+/));
  const compiler = candidates.find(runs);
  if (!compiler) throw new BuildError('no C++ compiler found', '', 'install one');
  return compiler;
}

/** Every .cc under the folders that this architecture compiles. */
function sourcesOf(folders, isas) {
  const files = folders.flatMap((folder) =>
    readdirSync(join(here, folder), { recursive: true }).map((file) => join(here, folder, file)),
  );
  const foreign = isaNames.filter((name) => !(name in isas));
  return files.filter((file) => file.endsWith('.cc') && !foreign.includes(basename(file, '.cc'))).sort();
}

/** The file's content and that of all it includes by a relative path. */
function contentOf(file, seen = new Set()) {
  if (seen.has(file) || !existsSync(file)) return '';
  seen.add(file);
  const text = readFileSync(file, 'utf8');
  const included = [...text.matchAll(/^#include "(.+)"/gm)].map(([, path]) =>
    contentOf(join(dirname(file), path), seen),
  );
  return text + included.join('');
}

const hash = (...parts) => createHash('sha256').update(parts.join('\0')).digest('hex').slice(0, 16);

function run([program, ...args]) {
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
    let log = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (log += text));
    child.on('error', reject);
    child.on('close', (code) => {
      const whole = `${[program, ...args].join(' ')}\n${log}`;
      code === 0 ? resolve(log) : reject(new BuildError('the C++ compiler failed', whole));
    });
  });
}

/** Makes `output` by a command that writes to the path it is given: at once or not at all, since others may be using it. */
async function make(output, commandFor) {
  const unfinished = `${output}.${process.pid}`;
  try {
    const log = await run(commandFor(unfinished));
    renameSync(unfinished, output);
    return log;
  } finally {
    rmSync(unfinished, { force: true });
  }
}

/** Compiles what has changed, as many files at a time as there are cores. */
async function compile(sources, compiler, version, flagsOf, folder) {
  mkdirSync(folder, { recursive: true });
  const jobs = sources.map((source) => {
    const flags = flagsOf(source);
    const name = relative(here, source).replaceAll(/[/\\]/g, '-').replace(/\.cc$/, '');
    return { source, flags, object: join(folder, `${name}-${hash(version, ...flags, contentOf(source))}.o`) };
  });
  const stale = jobs.filter((job) => !existsSync(job.object));
  const logs = [];
  const work = async () => {
    for (let job = stale.shift(); job; job = stale.shift()) {
      const { source, flags, object } = job;
      logs.push(await make(object, (path) => [...compiler, ...flags, '-c', source, '-o', path]));
    }
  };
  const done = await Promise.allSettled(Array.from({ length: availableParallelism() }, work));
  const failed = done.find((worker) => worker.status === 'rejected');
  if (failed) throw failed.reason;
  const objects = jobs.map((job) => job.object);
  for (const path of readdirSync(folder).map((file) => join(folder, file))) {
    // Another build at the same time may still want what is new.
    if (!objects.includes(path) && statSync(path).mtimeMs < Date.now() - 3_600_000) rmSync(path, { force: true });
  }
  return { objects, log: logs.join('') };
}

function includeFolder() {
  try {
    return createRequire(import.meta.url)('node-api-headers').include_dir;
  } catch {
    throw new BuildError('the package node-api-headers is missing', '', 'install it');
  }
}

/** Builds the addon or the test program; returns its path and whether anything was to do. */
async function build({ compiler, arch, folder, sanitize, test, linkFlags }) {
  const version = spawnSync(compiler[0], [...compiler.slice(1), '--version'], { encoding: 'utf8' }).stdout;
  const isas = isaFlags[arch] ?? { scalar: [] };
  const sources = sourcesOf(test ? ['kernels', 'test'] : ['kernels', 'engine', 'addon'], isas);
  const isTest = (source) => relative(here, source).startsWith('test');
  const modeFlags = (source) => (sanitize ? ['-O1', '-g', ...sanitizeFlags] : [isTest(source) ? '-O1' : '-O3']);
  const headers = test ? [] : [`-I${includeFolder()}`];
  const flagsOf = (source) => [
    ...baseFlags,
    ...modeFlags(source),
    ...headers,
    ...(isas[basename(source, '.cc')] ?? []),
  ];
  const objectFolder = join(folder, test ? 'testObjects' : 'objects');
  const { objects, log } = await compile(sources, [...compiler], version, flagsOf, objectFolder);

  const output = join(folder, test ? 'kernelTests' : 'limelight.node');
  const shared = test ? [] : ['-shared', ...(process.platform === 'darwin' ? ['-undefined', 'dynamic_lookup'] : [])];
  const flags = [...shared, ...linkFlags, ...(sanitize ? sanitizeFlags : [])];
  const key = hash(...objects, ...flags);
  const keyFile = `${output}.key`;
  if (existsSync(output) && existsSync(keyFile) && readFileSync(keyFile, 'utf8') === key)
    return { output, changed: false };
  const linkLog = await make(output, (path) => [...compiler, ...objects, ...flags, '-o', path]);
  writeFileSync(keyFile, key);
  writeFileSync(join(folder, 'build.log'), log + linkLog);
  return { output, changed: true };
}

async function buildAddon(sanitize) {
  const folder = join(here, sanitize ? 'build-sanitize' : 'build');
  const startMs = Date.now();
  try {
    const options = { compiler: findCompiler(), arch: process.arch, folder, sanitize, test: false, linkFlags: [] };
    const { changed } = await build(options);
    const seconds = ((Date.now() - startMs) / 1000).toFixed(1);
    console.log(`limelight: the native engine is ${changed ? `built (${seconds} s)` : 'up to date'}`);
  } catch (error) {
    // Never an engine older than its sources, which are at fault where a compiler has something to say.
    if (error.log) rmSync(join(folder, 'limelight.node'), { force: true });
    throw error;
  }
}

async function runTests(sanitize, target) {
  const arm = target === 'arm64-qemu';
  const tools = { compiler: arm ? ['aarch64-linux-gnu-g++'] : findCompiler(), runner: arm ? ['qemu-aarch64'] : [] };
  const missing = Object.values(tools).find((tool) => tool.length > 0 && !runs(tool));
  if (missing) {
    console.log(`native kernel tests: skipped for ${target}, since ${missing[0]} is not there`);
    return;
  }
  const folder = join(here, arm ? 'build-arm64' : sanitize ? 'build-sanitize' : 'build');
  const linkFlags = arm ? ['-static'] : [];
  const arch = arm ? 'arm64' : process.arch;
  const { output } = await build({ compiler: tools.compiler, arch, folder, sanitize, test: true, linkFlags });
  const [program, ...args] = [...tools.runner, output];
  const { status } = spawnSync(program, args, { stdio: 'inherit' });
  if (status !== 0) throw new BuildError('kernel tests failed');
}

/** Keeps what a compiler said and says where. */
function keptLog(log) {
  if (!log) return '';
  const path = join(here, 'build', 'build.log');
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, log);
    return ` (see ${path})`;
  } catch {
    return ''; // a folder that cannot be written to is then the failure that is told
  }
}

const meaning = (remedy = 'mend that') =>
  `, so the native engine is not built and engine auto uses TensorFlow.js; ${remedy} and run 'npm run build:native'`;

const testing = options.test || options.target !== undefined;
try {
  if (options.target && options.target !== 'arm64-qemu') {
    throw new BuildError(`--target is arm64-qemu or nothing, not '${options.target}'`);
  }
  if (testing) {
    await runTests(options.sanitize, options.target);
  } else if (process.env.LIMELIGHT_SKIP_NATIVE === '1') {
    console.log(
      'limelight: LIMELIGHT_SKIP_NATIVE is 1, so the native engine is not built and engine auto uses TensorFlow.js',
    );
  } else {
    await buildAddon(options.sanitize);
  }
} catch (error) {
  console.log(`limelight: ${error.message}${keptLog(error.log)}${testing ? '' : meaning(error.remedy)}`);
  process.exitCode = options.strict || testing ? 1 : 0;
}
