import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;

import com.nimbusds.jose.JOSEException;
import com.nimbusds.jose.jwk.Curve;
import com.nimbusds.jose.jwk.gen.ECKeyGenerator;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;

import org.eclipse.edc.connector.dataplane.spi.Endpoint;
import org.eclipse.edc.connector.dataplane.spi.iam.DataPlaneAuthorizationService;
import org.eclipse.edc.connector.dataplane.spi.iam.PublicEndpointGeneratorService;
import org.eclipse.edc.policy.engine.spi.PolicyContext;
import org.eclipse.edc.policy.engine.spi.PolicyEngine;
import org.eclipse.edc.policy.engine.spi.RuleBindingRegistry;
import org.eclipse.edc.policy.model.Permission;
import org.eclipse.edc.runtime.metamodel.annotation.Inject;
import org.eclipse.edc.spi.EdcException;
import org.eclipse.edc.spi.security.Vault;
import org.eclipse.edc.spi.system.ServiceExtension;
import org.eclipse.edc.spi.system.ServiceExtensionContext;
import org.eclipse.edc.web.jetty.JettyService;

/**
 * What EDC's published parts leave to whoever runs them: where pulled data is fetched from, keys for the access tokens,
 * a condition for policies, and listening on this machine only.
 */
public final class Counterparty implements ServiceExtension {
    private static final String SOURCE = "https://w3id.org/edc/v0.0.1/ns/baseUrl";
    private static final String PURPOSE = "http://www.w3.org/ns/odrl/2/purpose";
    private static final List<String> KEPT = List.of("Content-Type", "Content-Range", "Accept-Ranges", "ETag");

    @Inject
    private JettyService jetty;
    @Inject
    private PublicEndpointGeneratorService endpoints;
    @Inject
    private DataPlaneAuthorizationService authorization;
    @Inject
    private Vault vault;
    @Inject
    private RuleBindingRegistry bindings;
    @Inject
    private PolicyEngine policies;

    private final HttpClient source = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    private final ExecutorService threads = Executors.newCachedThreadPool();
    private HttpServer data;

    @Override
    public void initialize(ServiceExtensionContext context) {
        jetty.addConnectorConfigurationCallback(connector -> connector.setHost("127.0.0.1"));
        try {
            data = HttpServer.create(new InetSocketAddress(InetAddress.getLoopbackAddress(), 0), 0);
            var signer = context.getSetting("edc.transfer.proxy.token.signer.privatekey.alias", null);
            var verifier = context.getSetting("edc.transfer.proxy.token.verifier.publickey.alias", null);
            var key = new ECKeyGenerator(Curve.P_256).keyID(verifier).generate();
            vault.storeSecret(signer, key.toJSONString());
            vault.storeSecret(verifier, key.toPublicJWK().toJSONString());
        } catch (IOException | JOSEException broken) {
            throw new EdcException(broken);
        }
        // A condition that nobody has taught it is refused in a policy definition, so it is taught one: anything goes.
        bindings.bind(PURPOSE, PolicyEngine.ALL_SCOPES);
        policies.registerFunction(PolicyContext.class, Permission.class, PURPOSE, (is, asked, rule, about) -> true);
        data.createContext("/", this::give);
        data.setExecutor(threads);
        var address = "http://127.0.0.1:%d/".formatted(data.getAddress().getPort());
        endpoints.addGeneratorFunction("HttpData", asset -> Endpoint.url(address));
    }

    @Override
    public void start() {
        data.start();
    }

    @Override
    public void shutdown() {
        data.stop(0);
        threads.shutdownNow();
    }

    /** Answers with what the token's asset points at, whole or the range that is asked for. */
    private void give(HttpExchange exchange) throws IOException {
        try (exchange) {
            var header = exchange.getRequestHeaders().getFirst("Authorization");
            if (header == null) {
                refuse(exchange, 401, "No token.");
                return;
            }
            var asset = authorization.authorize(header.replaceFirst("(?i)^Bearer ", ""), Map.of());
            if (asset.failed()) {
                refuse(exchange, 403, asset.getFailureDetail());
                return;
            }
            var request = HttpRequest.newBuilder(URI.create(asset.getContent().getStringProperty(SOURCE)));
            var range = exchange.getRequestHeaders().getFirst("Range");
            if (range != null) {
                request.header("Range", range);
            }
            relay(source.send(request.build(), HttpResponse.BodyHandlers.ofByteArray()), exchange);
        } catch (InterruptedException stopped) {
            Thread.currentThread().interrupt();
        }
    }

    private static void relay(HttpResponse<byte[]> found, HttpExchange exchange) throws IOException {
        for (var name : KEPT) {
            found.headers().firstValue(name).ifPresent(value -> exchange.getResponseHeaders().set(name, value));
        }
        answer(exchange, found.statusCode(), found.body());
    }

    private static void refuse(HttpExchange exchange, int status, String why) throws IOException {
        answer(exchange, status, why.getBytes(StandardCharsets.UTF_8));
    }

    private static void answer(HttpExchange exchange, int status, byte[] body) throws IOException {
        exchange.sendResponseHeaders(status, body.length == 0 ? -1 : body.length);
        exchange.getResponseBody().write(body);
    }
}
