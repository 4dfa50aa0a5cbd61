/** Returns a time for people, in the time zone of the host: `2026-11-25 23:53:41`. Empty if there is none. */
export function localTime(iso: string): string {
  if (iso === '') return '';
  // The Swedish form is that of ISO 8601, with a space.
  return new Date(iso).toLocaleString('sv-SE');
}

/** Returns a length of time for people: `0.4 s`, `12 s`, `3 min 5 s`, `2 h 10 min`. */
export function duration(ms: number): string {
  const seconds = ms / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${String(whole)} s`;
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) return `${String(minutes)} min ${String(whole % 60)} s`;
  return `${String(Math.floor(minutes / 60))} h ${String(minutes % 60)} min`;
}
