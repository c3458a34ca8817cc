// A line of a few points, without axes.

const [WIDTH, HEIGHT] = [120, 18];

export function Spark({ values, color }: { values: number[]; color: string }) {
  const most = Math.max(...values.filter(Number.isFinite), 1e-12);
  const step = WIDTH / Math.max(1, values.length - 1);
  const points = values.map((value, at) => {
    const high = Number.isFinite(value) ? value / most : 0;
    return `${(at * step).toFixed(1)},${(HEIGHT - 1 - high * (HEIGHT - 2)).toFixed(1)}`;
  });
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT} aria-hidden="true">
      <polyline points={points.join(' ')} fill="none" stroke={color} stroke-width="1.3" />
    </svg>
  );
}
