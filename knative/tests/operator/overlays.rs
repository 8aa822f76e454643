//! What people apply is what the API server takes.

use std::path::Path;

use crate::scene::Scene;

#[tokio::test]
#[ignore = "needs an API server: make test-cluster"]
async fn the_api_server_takes_every_overlay_to_the_letter() {
    let scene = Scene::without_operator().await;
    scene.server.define_neighbours().await;
    // A dry run makes none.
    scene.make_namespace("dormouse-system").await;
    for overlay in ["minimal", "production", "monitoring", "istio"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("overlays")
            .join(overlay);
        let folder = folder.to_string_lossy();
        let rendered = scene.server.kubectl(&["kustomize", &folder], "");
        let rendered = rendered.unwrap_or_else(|said| panic!("{overlay}: {said}"));
        assert!(rendered.contains("kind: MCPServer"), "{overlay}");
        let apply = [
            "apply",
            "--server-side",
            "--force-conflicts",
            "--dry-run=server",
            "--validate=strict",
            "-f",
            "-",
        ];
        let applied = scene.server.kubectl(&apply, &rendered);
        applied.unwrap_or_else(|said| panic!("{overlay}: {said}"));
    }
}
