/*
 * JavaClients.java: JDBC and HikariCP, with the function of doc/clients.md: executed by ../java.js
 *
 * The arguments are the URL of a database, the role, a workspace, its owner, and all users. Prints a JSON
 * object with what was seen. The class Recipe has the function.
 */
import com.zaxxer.hikari.HikariDataSource;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;

public class JavaClients {
    private static final int POOL = 3;
    private static final String IDS = "SELECT id FROM app.item ORDER BY id";
    private static final String WHO = "SELECT cnap_current_user() IS NULL"
        + " AND NOT EXISTS (SELECT FROM app.item), pg_sleep(0.02)::text";
    private static final String RENAME = "SELECT cnap_update_workspace(?::uuid, name => 'new')";

    private interface Work<A, T> {
        T of(A argument) throws Exception;
    }

    private static HikariDataSource poolOf(String url, String role) {
        HikariDataSource pool = new HikariDataSource();

        pool.setJdbcUrl(url);
        pool.setUsername(role);
        pool.setMaximumPoolSize(POOL);
        pool.setConnectionTimeout(120_000);
        return pool;
    }

    /* The first column of a query, whose parameters are given */
    private static List<Object> query(Connection connection, String text, Object... values) throws SQLException {
        try (PreparedStatement statement = connection.prepareStatement(text)) {
            for (int i = 0; i < values.length; i++)
                statement.setObject(i + 1, values[i]);
            List<Object> seen = new ArrayList<>();
            try (ResultSet rows = statement.executeQuery()) {
                while (rows.next())
                    seen.add(rows.getObject(1));
            }
            return seen;
        }
    }

    /* What work returns for each of a list, in some threads at once */
    private static <A, T> List<T> inThreads(List<A> list, Work<A, T> work) throws Exception {
        ExecutorService threads = Executors.newFixedThreadPool(4 * POOL);
        List<Callable<T>> calls = list.stream().map(one -> (Callable<T>) () -> work.of(one))
            .collect(Collectors.toList());
        List<T> results = new ArrayList<>();

        for (Future<T> future : threads.invokeAll(calls))
            results.add(future.get());
        threads.shutdown();
        return results;
    }

    /* What an error says that work ends with, or its SQLSTATE */
    private static String failure(boolean state, Callable<?> work) {
        try {
            return "no error, but " + work.call();
        } catch (SQLException error) {
            if (state)
                return error.getSQLState();
            for (String text : List.of("division by zero", "canceling statement"))
                if (error.getMessage().contains(text))
                    return text;
            return error.getMessage();
        } catch (Exception error) {
            return error.getMessage();
        }
    }

    private static String json(Object value) {
        if (value instanceof Map)
            return ((Map<?, ?>) value).entrySet().stream()
                .map(entry -> json(entry.getKey()) + ":" + json(entry.getValue()))
                .collect(Collectors.joining(",", "{", "}"));
        if (value instanceof List)
            return ((List<?>) value).stream().map(JavaClients::json).collect(Collectors.joining(",", "[", "]"));
        if (value == null || value instanceof Number || value instanceof Boolean)
            return String.valueOf(value);
        return "\"" + value.toString().replaceAll("[\\\\\"]", "\\\\$0").replace("\n", "\\n") + "\"";
    }

    public static void main(String[] args) throws Exception {
        String url = args[0];
        String role = args[1];
        String workspace = args[2];
        String owner = args[3];
        List<String> users = Arrays.asList(args).subList(4, args.length);
        Map<String, Object> seen = new LinkedHashMap<>();

        try (HikariDataSource pool = poolOf(url, role)) {
            List<String> twice = new ArrayList<>(users);
            twice.addAll(users);
            Callable<Object> crowd = () -> inThreads(twice,
                user -> Recipe.asUser(pool, user, connection -> query(connection, IDS)));
            Callable<Object> left = () -> inThreads(Collections.nCopies(4 * POOL, WHO), text -> {
                try (Connection connection = pool.getConnection()) {
                    return query(connection, text).get(0);
                }
            });
            List<Integer> numbers = new ArrayList<>();
            for (int n = 0; n < users.size(); n++)
                numbers.add(n);

            seen.put("crowd", crowd.call());
            seen.put("errors", inThreads(numbers, n -> failure(false, () -> Recipe.asUser(pool, users.get(n),
                connection -> {
                    if (n % 4 != 0)
                        query(connection, IDS);
                    if (n % 2 == 0)
                        query(connection, "SELECT 1 / 0");
                    throw new IllegalStateException("of the program");
                }))));
            seen.put("left", left.call());
            seen.put("cancelled", failure(false, () -> Recipe.asUser(pool, users.get(0),
                connection -> query(connection, "SELECT pg_sleep(300)::text"))));
            seen.put("left again", left.call());
            seen.put("crowd again", crowd.call());

            // results of type void, and ids
            seen.put("void", Recipe.asUser(pool, owner, connection -> query(connection, RENAME, workspace)));
            seen.put("update", failure(true, () -> Recipe.asUser(pool, owner, connection -> {
                try (Statement statement = connection.createStatement()) {
                    return statement.executeUpdate(RENAME.replace("?", "'" + workspace + "'"));
                }
            })));
            String check = "SELECT cnap_can_access(?, ?)";
            UUID id = UUID.fromString(workspace);
            seen.put("ids", Recipe.asUser(pool, owner, connection -> Arrays.asList(
                query(connection, check, owner, id).get(0),
                query(connection, "SELECT cnap_can_access(?, ?::uuid)", owner, workspace).get(0))));
            seen.put("text", failure(true, () -> Recipe.asUser(pool, owner,
                connection -> query(connection, check, owner, workspace))));
            try (HikariDataSource untyped = poolOf(url + "&stringtype=unspecified", role)) {
                seen.put("untyped", Recipe.asUser(untyped, owner,
                    connection -> query(connection, check, owner, workspace)));
            }
        }
        System.out.println(json(seen));
    }
}
