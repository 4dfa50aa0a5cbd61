/** What trials add up to. */
export interface Figures {
  readonly fired: Map<string, number>;
  readonly outcomes: Map<string, number>;
  readonly steps: Map<string, number>;
}

export function newFigures(): Figures {
  return { fired: new Map(), outcomes: new Map(), steps: new Map() };
}

export function count(of: Map<string, number>, what: string): void {
  of.set(what, (of.get(what) ?? 0) + 1);
}
