export function ServicesView() {
  return <p />;
}
