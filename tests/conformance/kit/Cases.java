import java.io.FileOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Properties;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.regex.Pattern;

import org.junit.platform.engine.FilterResult;
import org.junit.platform.engine.TestDescriptor;
import org.junit.platform.engine.TestExecutionResult;
import org.junit.platform.engine.discovery.ClassNameFilter;
import org.junit.platform.engine.discovery.DiscoverySelectors;
import org.junit.platform.launcher.LauncherDiscoveryRequest;
import org.junit.platform.launcher.PostDiscoveryFilter;
import org.junit.platform.launcher.TestExecutionListener;
import org.junit.platform.launcher.TestIdentifier;
import org.junit.platform.launcher.TestPlan;
import org.junit.platform.launcher.core.LauncherDiscoveryRequestBuilder;
import org.junit.platform.launcher.core.LauncherFactory;

/**
 * Runs the cases of the kit and tells of each as it ends: {@code ID TAB pass|fail|skip TAB reason}.
 *
 * <p>Whoever starts this judges, counts and sets time limits. The exit status only says whether all was told.
 *
 * <p>Arguments: settings of the kit as a properties file, a log file, then beginnings of ids (none: every case).
 */
public final class Cases implements TestExecutionListener {
    private static final String PACKAGE = "org.eclipse.dataspacetck.dsp.verification";
    private static final Pattern ID = Pattern.compile("\\s*([A-Z_]+:\\d+-\\d+)\\b.*", Pattern.DOTALL);

    private final PrintStream told;
    private final PrintStream log;
    private final Set<String> known = ConcurrentHashMap.newKeySet();
    private TestPlan plan;

    private Cases(PrintStream told, PrintStream log) {
        this.told = told;
        this.log = log;
    }

    public static void main(String[] arguments) throws Exception {
        var told = new PrintStream(System.out, true, StandardCharsets.UTF_8);
        // Everything that the kit prints goes to the log: standard output is ours.
        var log = new PrintStream(new FileOutputStream(arguments[1]), true, StandardCharsets.UTF_8);
        System.setOut(log);
        System.setErr(log);
        var settings = new Properties();
        try (var file = Files.newBufferedReader(Path.of(arguments[0]))) {
            settings.load(file);
        }
        // The kit's classes read these while they are loaded, so they stand before any of them is.
        settings.forEach((key, value) -> System.setProperty((String) key, (String) value));
        var wanted = List.of(arguments).subList(2, arguments.length);
        var status = 0;
        try {
            LauncherFactory.create().execute(request(wanted), new Cases(told, log));
        } catch (Throwable broken) {
            broken.printStackTrace(log);
            status = 1;
        }
        System.exit(status); // the kit's threads would live on
    }

    private static LauncherDiscoveryRequest request(List<String> wanted) {
        PostDiscoveryFilter chosen = found -> FilterResult.includedIf(isWanted(found, wanted));
        return LauncherDiscoveryRequestBuilder.request()
                .selectors(DiscoverySelectors.selectPackage(PACKAGE))
                .filters(ClassNameFilter.includeClassNamePatterns(".*Test"))
                .filters(chosen)
                .build();
    }

    private static boolean isWanted(TestDescriptor found, List<String> wanted) {
        var id = idOf(found.getDisplayName());
        return !found.isTest() || wanted.isEmpty() || wanted.stream().anyMatch(id::startsWith);
    }

    private static String idOf(String title) {
        var matched = ID.matcher(title);
        return matched.matches() ? matched.group(1) : title.replaceAll("\\s+", "_");
    }

    @Override
    public void testPlanExecutionStarted(TestPlan started) {
        plan = started;
    }

    @Override
    public void executionStarted(TestIdentifier test) {
        if (test.isTest()) {
            log.println("== " + test.getDisplayName());
        }
    }

    @Override
    public void executionSkipped(TestIdentifier test, String reason) {
        tell(test, "skip", reason);
    }

    @Override
    public void executionFinished(TestIdentifier test, TestExecutionResult result) {
        var reason = result.getThrowable().map(this::reason).orElse("");
        switch (result.getStatus()) {
            case SUCCESSFUL -> {
                if (test.isTest()) {
                    tell(test, "pass", "");
                }
            }
            case ABORTED -> tell(test, "fail", "was given up: " + reason);
            case FAILED -> tell(test, "fail", reason);
        }
    }

    /** What happens to a class happens to each of its cases. */
    private void tell(TestIdentifier test, String result, String reason) {
        if (!test.isTest()) {
            plan.getChildren(test).forEach(child -> tell(child, result, reason));
            return;
        }
        var id = idOf(test.getDisplayName());
        if (known.add(id)) {
            told.println(id + "\t" + result + "\t" + reason.replaceAll("\\s+", " ").strip());
        }
    }

    /** The innermost cause that says something; the whole of it is in the log. */
    private String reason(Throwable thrown) {
        thrown.printStackTrace(log);
        var said = thrown.toString();
        for (var cause = thrown; cause != null; cause = cause.getCause()) {
            if (cause.getMessage() != null) {
                said = cause.getClass().getSimpleName() + ": " + cause.getMessage();
            }
        }
        return said;
    }
}
