/** A source of uniform numbers in [0, 1), 53 random bits each. */
export interface Random {
  next(): number;
  /** A whole number in [0, below). */
  below(below: number): number;
  /** A standard normal draw. */
  normal(): number;
  /** An independent generator for a named purpose; drawing from one never shifts another. */
  fork(label: string): Random;
}

/** FNV-1a over UTF-16 units: turns a label into a seed word. */
function hashLabel(label: string, seed: number): number {
  let h = seed ^ 0x811c9dc5;
  for (let i = 0; i < label.length; i++) h = Math.imul(h ^ label.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/**
 * A seeded generator: sfc32 by Chris Doty-Humphrey (PractRand), 128 bits of state, seeded through SplitMix32 steps.
 * The same seed gives the same numbers on every machine.
 */
export function createRandom(seed: number): Random {
  let s = seed | 0;
  const split = () => {
    s = (s + 0x9e3779b9) | 0;
    let t = s ^ (s >>> 16);
    t = Math.imul(t, 0x21f0aaad);
    t ^= t >>> 15;
    t = Math.imul(t, 0x735a2d97);
    return t ^ (t >>> 15);
  };
  let a = split();
  let b = split();
  let c = split();
  let d = 1;
  const word = () => {
    const t = (((a + b) | 0) + d) | 0;
    d = (d + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + t;
    c |= 0;
    return t >>> 0;
  };
  for (let i = 0; i < 12; i++) word();
  // Taken before anything is drawn, so that forks do not depend on what was.
  const family = (a ^ Math.imul(b, 31) ^ Math.imul(seed | 0, 0x85ebca6b)) >>> 0;
  let spare = Number.NaN;
  const next = () => (word() * 2097152 + (word() >>> 11)) / 9007199254740992;
  return {
    next,
    below: (below) => Math.floor(next() * below),
    normal() {
      if (!Number.isNaN(spare)) {
        const kept = spare;
        spare = Number.NaN;
        return kept;
      }
      // Box–Muller: 1 − u keeps the logarithm finite.
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      const angle = 2 * Math.PI * next();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    fork: (label) => createRandom(hashLabel(label, family)),
  };
}

/** Shuffles `items[0..length)` in place (Fisher–Yates). */
export function shuffle(items: Int32Array | Uint32Array | number[], random: Random, length = items.length): void {
  for (let i = length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    const kept = items[i];
    items[i] = items[j];
    items[j] = kept;
  }
}
