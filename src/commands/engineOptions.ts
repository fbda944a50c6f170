import { type Command, Option } from 'commander';
import type { EngineChoice } from '../scoring/engines.ts';
import { wholeNumber } from './output.ts';

/** Names are checked where engines are known, so that a new one needs no change here. */
export function addEngineOptions(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--engine <name>',
        'what computes: auto takes the fastest that loads; or native, tfjs, reference',
      ).default('auto'),
    )
    .addOption(
      new Option(
        '--precision <name>',
        "fp32, bf16 or int8, of an engine that has several; auto takes the fastest that keeps to the bundle's limits",
      ).default('auto'),
    )
    .addOption(
      new Option(
        '--ad-cache-mb <n>',
        'memory for what depends on an ad alone, of an engine that keeps it; 0 keeps nothing (default: 256)',
      ).argParser(wholeNumber(0, 2 ** 24)),
    );
}

/** The same with TensorFlow.js's backends. */
export function addEngineAndBackendOptions(command: Command): Command {
  return addEngineOptions(command).option('--backend <name>', 'of engine tfjs: auto, tensorflow, wasm or cpu', 'auto');
}

/** What the options give, by the names `createScorer` takes. */
export type EngineFlags = Pick<EngineChoice, 'engine' | 'backend' | 'precision' | 'adCacheMb'>;
