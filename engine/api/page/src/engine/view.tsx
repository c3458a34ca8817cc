export function EngineView() {
  return <p />;
}
